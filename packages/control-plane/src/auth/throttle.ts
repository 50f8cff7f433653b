/** Failures of one user name from one address that are tolerated within the window. */
const FAILURES = 10;
const WINDOW_MS = 5 * 60_000;
/** Pairs that are remembered; past it the longest untouched is forgotten. */
const REMEMBERED = 10_000;

/**
 * Counts failed logins by user name and address, in this process. It slows guessing down; it does not lock anybody out
 * for whom another address is asking.
 */
export class LoginThrottle {
  /** In the order in which they last failed. */
  readonly #failures = new Map<string, { count: number; since: number }>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many seconds to wait before the next attempt; 0 when it may be made now. */
  waitSeconds(username: string, address: string): number {
    const entry = this.#failures.get(keyOf(username, address));
    if (!entry || entry.count < FAILURES) return 0;
    return Math.max(0, Math.ceil((entry.since + WINDOW_MS - this.#now()) / 1_000));
  }

  /** Counted before the password is checked, so that attempts made at once count too. */
  attempted(username: string, address: string): void {
    const key = keyOf(username, address);
    const now = this.#now();
    const before = this.#failures.get(key);
    const entry = before && now - before.since < WINDOW_MS ? before : { count: 0, since: now };
    entry.count += 1;
    this.#failures.delete(key);
    this.#failures.set(key, entry);
    if (this.#failures.size > REMEMBERED) {
      const oldest = this.#failures.keys().next().value;
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
  }

  /** An attempt that came to no answer is no failure. */
  withdrawn(username: string, address: string): void {
    const key = keyOf(username, address);
    const entry = this.#failures.get(key);
    if (!entry) return;
    entry.count -= 1;
    if (entry.count <= 0) this.#failures.delete(key);
  }

  succeeded(username: string, address: string): void {
    this.#failures.delete(keyOf(username, address));
  }
}

const keyOf = (username: string, address: string): string => `${address} ${username.toLowerCase()}`;
