import type { Migration } from './migration.js';
import { fromV1 } from './0000-from-v1.js';
import { first } from './0001-first.js';
import { names } from './0002-names.js';
import { timeline } from './0003-timeline.js';
import { placement } from './0004-placement.js';
import { takeoversAndDueCommands } from './0005-takeovers-and-due-commands.js';
import { endingSessions } from './0006-ending-sessions.js';
import { replicas } from './0007-replicas.js';
import { loginSecrets } from './0008-login-secrets.js';
import { sessionLists } from './0009-session-lists.js';
import { identities } from './0010-identities.js';

/**
 * Every change of the schema, in order. Released ones never change; they only ever add. The number of the one that takes
 * earlier versions' databases over comes before the first: it makes what the first would have made.
 */
export const MIGRATIONS: readonly Migration[] = [
  fromV1,
  first,
  names,
  timeline,
  placement,
  takeoversAndDueCommands,
  endingSessions,
  replicas,
  loginSecrets,
  sessionLists,
  identities,
];
