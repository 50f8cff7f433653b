import type { z } from 'zod';
import {
  agentKeySchema,
  agentRegistrationSchema,
  agentSchema,
  newAgentKeySchema,
  registeredAgentSchema,
} from './agents.js';
import { auditEntrySchema } from './audit.js';
import { credentialsSchema, loginSchema, newAdminSchema, setupStatusSchema, userSchema } from './logins.js';
import { healthSchema, readinessSchema } from './probes.js';
import { problemSchema } from './problem.js';
import {
  newSessionSchema,
  newTicketSchema,
  sessionEventSchema,
  sessionSchema,
  sessionStateSchema,
  ticketSchema,
  viewerModeSchema,
} from './sessions.js';
import { templateSchema } from './templates.js';

/** The schemas that have a name of their own in the OpenAPI document and among the client's types. */
export const NAMED_SCHEMAS = {
  User: userSchema,
  Login: loginSchema,
  SetupStatus: setupStatusSchema,
  NewAdmin: newAdminSchema,
  Credentials: credentialsSchema,
  Template: templateSchema,
  SessionState: sessionStateSchema,
  Session: sessionSchema,
  NewSession: newSessionSchema,
  SessionEvent: sessionEventSchema,
  ViewerMode: viewerModeSchema,
  NewTicket: newTicketSchema,
  Ticket: ticketSchema,
  AgentInfo: agentSchema,
  NewAgentKey: newAgentKeySchema,
  AgentKey: agentKeySchema,
  AgentRegistration: agentRegistrationSchema,
  RegisteredAgent: registeredAgentSchema,
  AuditEntry: auditEntrySchema,
  Health: healthSchema,
  Readiness: readinessSchema,
  Problem: problemSchema,
} as const satisfies Readonly<Record<string, z.ZodType>>;

export type SchemaName = keyof typeof NAMED_SCHEMAS;
