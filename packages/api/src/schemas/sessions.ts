import { z } from 'zod';
import { dnsLabel, labels, optional, text, timestamp } from './fields.js';

/** States of a session, in the order of its life. */
export const sessionStateSchema = z
  .enum(['pending', 'running', 'hibernated', 'terminating', 'terminated', 'failed'])
  .describe('State of a session.');

export const viewerModeSchema = z
  .enum(['control', 'view'])
  .describe('What a viewer may do: `control` sends input, `view` only watches.');

export const sessionSchema = z
  .object({
    id: z.string().describe('A DNS label.'),
    user: z.string().describe('Name of the owner.'),
    template: z.string(),
    state: sessionStateSchema,
    platform: z.string().nullable().describe('`any` while no agent has it.'),
    agent_id: z.string().nullable().describe('The agent that it is placed on.'),
    generation: z.int().describe('Increases with each re-creation.'),
    url: z
      .string()
      .nullable()
      .describe(
        'Address of the page that shows it, relative to the server; `null` where the server has none.',
      ),
    error: z
      .object({ code: z.string(), message: z.string() })
      .nullable()
      .describe('Why it failed; `null` in other states.'),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .describe('A desktop or app of one user.');

export const newSessionSchema = z
  .object({
    template: text(200).describe('Name of a template.'),
    user: optional(text(200)).describe(
      'Name of the owner. Default: the caller; another name requires the administrator role.',
    ),
    id: optional(dnsLabel).describe(
      'Id of your choice: the same request sent twice creates one session. Default: chosen by the server.',
    ),
    state: optional(z.enum(['running'])).describe('State to start in.'),
    platform: optional(text(50)).describe('Only agents of this platform. Default: the template’s.'),
    region: optional(text(100)).describe('Only agents of this region.'),
    labels: optional(labels).describe('Only agents with these labels.'),
    waitForCapacity: optional(z.boolean()).describe(
      'Wait for an agent where none can take it now, in place of failing with `no_agents_available`.',
    ),
  })
  .describe('What to create.');

export const sessionEventSchema = z
  .object({
    id: z.int().describe('Increases with each event, over all sessions. For `?after=`.'),
    generation: z.int(),
    kind: z.string().describe('For example `created`, `state`, `placed`, `error`; agents add their own.'),
    message: z.string().describe('A sentence for people.'),
    data: z.record(z.string(), z.unknown()),
    at: timestamp,
  })
  .describe('An entry of a session’s timeline.');

export const newTicketSchema = z.object({ mode: viewerModeSchema }).describe('What the ticket is for.');

export const ticketSchema = z
  .object({ ticket: z.string(), expires_at: timestamp })
  .describe('Admits one viewer connection, once, within seconds.');
