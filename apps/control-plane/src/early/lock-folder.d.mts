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
  /** The kernel's boot id, and the PID namespace in which `pid` counts; undefined on systems without /proc. */
  readonly boot: string | undefined;
  readonly pidNamespace: string | undefined;
  /** How long its beat may pause before it counts as dead, in ms; undefined for versions that do not renew their lock. */
  readonly leaseMs: number | undefined;
}

export interface HeldLock {
  readonly owner: LockHolder;
  /** Aborts with a {@link LockLostError} when another process has taken the lock over, or a person has deleted it. */
  readonly lost: AbortSignal;
  /**
   * Makes sure that the lock is held still, also after this process was stopped for long.
   *
   * @throws LockLostError
   */
  assertHeld(): void;
  /** Idempotent; without effect when another process has taken the lock over. */
  release(): void;
}

export class LockHeldError extends Error {
  readonly code: 'lock_held';
  readonly holder: LockHolder;
  /** Pid, host, since when, and when it was seen alive last. */
  readonly who: string;
  /** What a person can do. */
  readonly undo: string;
}

export class LockLostError extends Error {
  readonly code: 'lock_lost';
}

/**
 * Takes the lock and renews it until it is released. A holder that is seen to be dead is replaced at once; one whose
 * process cannot be seen from here, in another PID namespace or on another machine, when it has been silent for its
 * lease.
 *
 * @param options.waitMs how long a living holder is waited for
 * @param options.leaseMs lease of this holding. Default: 15 s
 * @throws LockHeldError when a living holder has it for `waitMs` more; an Error with the code `lock_is_a_file` when
 *   there is a file or another folder in its place, or too many remains of its dead holder beside it
 */
export function takeLockFolder(
  path: string,
  options: {
    waitMs: number;
    signal?: AbortSignal;
    onWait?: (holder: LockHolder) => void;
    leaseMs?: number;
  },
): Promise<HeldLock>;

export function readLockFolder(path: string): LockHolder | undefined;
