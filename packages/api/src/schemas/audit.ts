import { z } from 'zod';
import { timestamp } from './fields.js';

export const auditEntrySchema = z
  .object({
    id: z.int().describe('For `?before=`.'),
    at: timestamp,
    actor_id: z.string().nullable(),
    actor: z.string().describe('The user’s name at that time, or the name that was given.'),
    action: z.string().describe('For example `login`, `login_refused` or `agent_key_issued`.'),
    target: z.string().nullable().describe('What it was done to, for example a session’s id.'),
    address: z.string().nullable().describe('Address of the client.'),
    data: z.record(z.string(), z.unknown()),
  })
  .describe('An action of an administrator, or a login.');
