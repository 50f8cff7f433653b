import { z } from 'zod';

export const healthSchema = z
  .object({
    status: z.literal('healthy'),
    pod_name: z.string().describe('Name of the replica that answered.'),
  })
  .describe('The process runs.');

export const readinessSchema = z.object({ status: z.literal('ready') }).describe('Requests can be served.');
