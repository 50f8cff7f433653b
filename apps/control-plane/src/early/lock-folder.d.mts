/** The process that holds a lock. */
export interface LockHolder {
  readonly pid: number;
  /** Tells two processes with the same number apart; undefined on systems without /proc. */
  readonly startTime: string | undefined;
  readonly host: string;
  /** RFC 3339, UTC. */
  readonly since: string;
  /** Random per holding. */
  readonly id: string;
}

export interface HeldLock {
  readonly owner: LockHolder;
  /** Idempotent; without effect when another process has taken the lock over. */
  release(): void;
}

export class LockHeldError extends Error {
  constructor(path: string, holder: LockHolder);
  readonly code: 'lock_held';
  readonly holder: LockHolder;
}

/**
 * Takes the lock. A dead holder is replaced at once.
 *
 * @throws LockHeldError when a living holder has it for `waitMs` more; an Error with the code `lock_is_a_file` when
 *   there is a file in its place
 */
export function takeLockFolder(
  path: string,
  options: { waitMs: number; signal?: AbortSignal; onWait?: (holder: LockHolder) => void },
): Promise<HeldLock>;

export function readLockFolder(path: string): LockHolder | undefined;
export function isAlive(holder: LockHolder): boolean;
