import { z } from 'zod';
import { optional, text, timestamp, type FieldNote } from './fields.js';

export const agentSchema = z
  .object({
    agent_id: z.string(),
    platform: z.string(),
    status: z.string().describe('`online`, `offline`, `draining`, …'),
    region: z.string().nullable(),
    last_heartbeat: timestamp.nullable(),
    capacity: z.object({
      max_sessions: z.int().describe('0 means unlimited.'),
      current_sessions: z.int(),
    }),
  })
  .describe('A process that runs sessions somewhere.');

/** Longest id of an agent, in UTF-16 units. */
const AGENT_ID = 255;

export const newAgentKeySchema = z.object({ agent_id: text(AGENT_ID) }).describe('Whose key to issue.');

export const agentKeySchema = z
  .object({ agent_id: z.string(), api_key: z.string().describe('Shown only in this answer.') })
  .describe('A new key of an agent.');

const wholeAmount = z
  .int()
  .min(0)
  .meta({ expected: 'an integer from 0' } satisfies FieldNote);
const amount = z
  .number()
  .min(0)
  .meta({ expected: 'a number from 0' } satisfies FieldNote);

/** In camel case, as agents of version 1 send it. */
export const agentRegistrationSchema = z
  .object({
    agentId: text(AGENT_ID),
    platform: text(50),
    region: optional(text(100)),
    capacity: optional(
      z.object({
        maxSessions: optional(wholeAmount).describe('0 means unlimited.'),
        maxCpu: optional(amount).describe('Cores.'),
        maxMemory: optional(amount).describe('GB.'),
      }),
    ),
    metadata: optional(z.record(z.string(), z.unknown())),
  })
  .describe('An agent that registers.');

/** In camel case, as agents of version 1 expect it. */
export const registeredAgentSchema = z
  .object({
    id: z.string(),
    agentId: z.string(),
    platform: z.string(),
    status: z.string(),
    createdAt: timestamp,
  })
  .describe('An agent that is registered.');
