import type { KitCase } from './case.js';
import { aborts } from './cases-aborts.js';
import { concurrency } from './cases-concurrency.js';
import { declarations } from './cases-declarations.js';
import { failures } from './cases-failures.js';
import { generations } from './cases-generations.js';
import { idempotence } from './cases-idempotence.js';
import { inventory } from './cases-inventory.js';
import { isolation } from './cases-isolation.js';
import { leaksAndClosing } from './cases-closing.js';
import { lifecycle } from './cases-lifecycle.js';
import { restarts } from './cases-restarts.js';
import { streams } from './cases-streams.js';

/** All of the kit. The suite in a test runner and the compliance report are made from this list. */
export const KIT_CASES: readonly KitCase[] = [
  ...declarations,
  ...isolation,
  ...lifecycle,
  ...idempotence,
  ...generations,
  ...concurrency,
  ...aborts,
  ...failures,
  ...restarts,
  ...streams,
  ...inventory,
  ...leaksAndClosing,
];
