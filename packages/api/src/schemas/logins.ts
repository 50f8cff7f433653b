import { z } from 'zod';
import { secret, text, timestamp, type FieldNote } from './fields.js';

export const userSchema = z
  .object({
    id: z.string(),
    username: z.string(),
    role: z.string().describe('`admin` may see everything; other roles see their own sessions.'),
  })
  .describe('A user who can log in.');

export const setupStatusSchema = z
  .object({ required: z.boolean().describe('Whether the first administrator has to be created.') })
  .describe('State of the set-up.');

/** Longest password, in UTF-16 units: hashing must not become expensive by length. */
const PASSWORD = 1_024;

export const newAdminSchema = z
  .object({
    token: secret(200).describe('One-time token of the setup link.'),
    username: z
      .string()
      .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?$/)
      .meta({
        expected: '1 to 64 letters, digits and . _ @ -, with a letter or digit at both ends',
      } satisfies FieldNote),
    password: secret(PASSWORD, 10),
  })
  .describe('The first administrator.');

export const credentialsSchema = z
  .object({ username: text(200), password: secret(PASSWORD) })
  .describe('User name and password.');

export const loginSchema = z
  .object({
    token: z.string().describe('The access token, for `Authorization: Bearer …`. Lasts 15 minutes at most.'),
    expires_at: timestamp.describe('When the access token ends.'),
    login_id: z
      .string()
      .optional()
      .describe('Id of the login; absent from servers older than 0008_login_secrets.'),
    login_secret: z
      .string()
      .optional()
      .describe(
        'At set-up and login only. Kept by the client and sent with each refresh as `X-Streamspace-Login`.',
      ),
    user: userSchema,
  })
  .describe('Answer to set-up, login and refresh.');
