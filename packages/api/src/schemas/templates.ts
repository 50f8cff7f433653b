import { z } from 'zod';

export const templateSchema = z
  .object({
    name: z.string().describe('A DNS label; unique.'),
    display_name: z.string(),
    description: z.string(),
    app_type: z.string().describe('Kind of application, for example `desktop` or `web`.'),
    platform: z.string().nullable().describe('The only platform that can run it; `null` where any can.'),
  })
  .describe('What a session is created from.');
