import { z } from 'zod';
import type { OperationId } from './operations.js';
import {
  agentKeySchema,
  agentSchema,
  agentRegistrationSchema,
  newAgentKeySchema,
  registeredAgentSchema,
} from './schemas/agents.js';
import { auditEntrySchema } from './schemas/audit.js';
import { cursorPage, empty, page, sessionId } from './schemas/fields.js';
import { credentialsSchema, loginSchema, newAdminSchema, setupStatusSchema } from './schemas/logins.js';
import { healthSchema, readinessSchema } from './schemas/probes.js';
import {
  newSessionSchema,
  newTicketSchema,
  sessionEventSchema,
  sessionSchema,
  ticketSchema,
} from './schemas/sessions.js';
import { templateSchema } from './schemas/templates.js';

/** What goes in and comes out of an operation. None of the schemas transforms: they only check. */
export interface OperationSchemas {
  /** Parameters in the path. */
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  /** `null`: the operation reads no body. */
  readonly body: z.ZodObject | null;
  /** `null`: the answer has no body. */
  readonly reply: z.ZodType | null;
}

const inSession = z.object({ id: sessionId });
const viewer = {
  params: z.object({ sessionId }),
  query: z.object({ ticket: z.string() }),
  body: null,
  reply: null,
};
const changed = { params: inSession, query: empty, body: null, reply: sessionSchema };

/** The schemas of every operation, by its id. */
export const SCHEMAS = {
  getHealth: { params: empty, query: empty, body: null, reply: healthSchema },
  getReadiness: { params: empty, query: empty, body: null, reply: readinessSchema },
  getOpenApi: { params: empty, query: empty, body: null, reply: z.record(z.string(), z.unknown()) },
  getSetup: { params: empty, query: empty, body: null, reply: setupStatusSchema },
  completeSetup: { params: empty, query: empty, body: newAdminSchema, reply: loginSchema },
  login: { params: empty, query: empty, body: credentialsSchema, reply: loginSchema },
  refreshLogin: { params: empty, query: empty, body: null, reply: loginSchema },
  logout: { params: empty, query: empty, body: null, reply: null },
  listTemplates: { params: empty, query: empty, body: null, reply: z.array(templateSchema) },
  listSessions: { params: empty, query: cursorPage, body: null, reply: z.array(sessionSchema) },
  createSession: { params: empty, query: empty, body: newSessionSchema, reply: sessionSchema },
  getSession: { params: inSession, query: empty, body: null, reply: sessionSchema },
  listSessionEvents: {
    params: inSession,
    query: page('after'),
    body: null,
    reply: z.array(sessionEventSchema),
  },
  stopSession: changed,
  deleteSession: changed,
  hibernateSession: changed,
  wakeSession: changed,
  createTicket: { params: inSession, query: empty, body: newTicketSchema, reply: ticketSchema },
  listAgents: { params: empty, query: empty, body: null, reply: z.array(agentSchema) },
  issueAgentKey: { params: empty, query: empty, body: newAgentKeySchema, reply: agentKeySchema },
  registerAgent: { params: empty, query: empty, body: agentRegistrationSchema, reply: registeredAgentSchema },
  listAudit: { params: empty, query: page('before'), body: null, reply: z.array(auditEntrySchema) },
  connectAgent: { params: empty, query: z.object({ agent_id: z.string() }), body: null, reply: null },
  viewSession: viewer,
  viewSessionShort: viewer,
} as const satisfies Readonly<Record<OperationId, OperationSchemas>>;

export type Schemas = typeof SCHEMAS;
/** What an operation's checked path parameters, query and body are. */
export type ParamsOf<Id extends OperationId> = z.infer<Schemas[Id]['params']>;
export type QueryOf<Id extends OperationId> = z.infer<Schemas[Id]['query']>;
export type BodyOf<Id extends OperationId> = Schemas[Id]['body'] extends z.ZodType
  ? z.infer<Schemas[Id]['body']>
  : undefined;
/** What an operation answers with. */
export type ReplyOf<Id extends OperationId> = Schemas[Id]['reply'] extends z.ZodType
  ? z.infer<Schemas[Id]['reply']>
  : undefined;

/** What an agent says of itself before its key has been checked. */
export const AGENT_ID_SCHEMA = agentRegistrationSchema.pick({ agentId: true });

export { NAMED_SCHEMAS } from './schemas/named.js';
export { problemSchema } from './schemas/problem.js';
export { checkFields, readQuery, type Checked, type WrongField } from './check.js';
