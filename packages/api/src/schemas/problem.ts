import { z } from 'zod';

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What was wrong, and what is allowed.'),
    code: z.string().describe('Stable, for programs.'),
    remedy: z.string().optional().describe('What to do about it.'),
  })
  .describe('An error, as in RFC 9457.');
