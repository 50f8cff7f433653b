import type { UnaskedEnd } from '../hosted-desktop.js';
import { mebibytes, type SessionLimits } from './resources.js';

/** How a process has ended; nothing is known of one that was not this process's child. */
export interface Exit {
  readonly code?: number | null;
  readonly signal?: string | null;
}

/** A sentence: an exit code, a signal, memory that ran out. */
export function describeEnd(
  name: string,
  { code, signal }: Exit,
  outOfMemory: boolean,
  { memoryBytes }: SessionLimits,
): UnaskedEnd {
  const failed = (reason: string): UnaskedEnd => ({ state: 'failed', reason });
  if (outOfMemory) {
    const limit = memoryBytes === undefined ? '' : ` (${mebibytes(memoryBytes)} are allowed)`;
    return failed(`${name} has ended: memory ran out${limit}`);
  }
  if (code === 0) return { state: 'stopped', reason: `${name} has ended with exit code 0` };
  if (typeof code === 'number') return failed(`${name} has ended with exit code ${code}`);
  if (signal) return failed(`${name} was ended by ${signal}`);
  return failed(`${name} has ended; an earlier agent process started it, so its exit code is not known`);
}
