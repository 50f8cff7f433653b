import { ExpiringMap } from './expiring-map.js';
import { LeakyBuckets } from './leaky-buckets.js';

/** Failures of one user from one group of addresses that are tolerated within the window. */
export const FAILURES = 10;
export const WINDOW_MS = 5 * 60_000;
/** Failures of one group of addresses over all names: this many at once, then one in so many ms. */
export const PER_ADDRESS = { capacity: 50, leakMs: 6_000 };
/** A group of addresses is calm with fewer failures than this, over all names, since it was quiet for so long. */
export const CALM_BELOW = 3;
export const QUIET_MS = 60 * 60_000;
/** Failures of one user from all calm groups of addresses, and from all others. */
export const PER_USER_CALM = { capacity: 20, leakMs: 3_000 };
export const PER_USER = { capacity: 20, leakMs: 30_000 };
/** Entries of each kind that are remembered; past it the longest untouched is forgotten. */
export const REMEMBERED = 10_000;
/** How long a user is known at a group of addresses after a login from there. */
const KNOWN_MS = 30 * 24 * 60 * 60_000;

/** Who is asked for, and from where. */
export interface Attempt {
  /** As `addressGroup` names it. */
  readonly group: string;
  /** A user's id, so that all spellings of a name count as one; for an unknown name something that stands for it. */
  readonly user: string;
  /** Whether there is such a user. */
  readonly exists: boolean;
}

export interface Wait {
  readonly seconds: number;
  readonly reason: 'user_from_address' | 'address' | 'user';
}

interface Failures {
  readonly count: number;
  readonly since: number;
}

/** What is counted of users. Unknown names have their own, so that inventing names makes no user's count forgotten. */
class UserCounts {
  readonly pairs: ExpiringMap<Failures>;
  readonly calm: LeakyBuckets;
  readonly others: LeakyBuckets;

  constructor(now: () => number) {
    this.pairs = new ExpiringMap({ limit: REMEMBERED, lifetimeMs: WINDOW_MS, now });
    this.calm = new LeakyBuckets({ ...PER_USER_CALM, limit: REMEMBERED, now });
    this.others = new LeakyBuckets({ ...PER_USER, limit: REMEMBERED, now });
  }
}

/**
 * Counts failed logins, in this process, and slows guessing down:
 *
 * - one user from one group of addresses: `FAILURES` in `WINDOW_MS`, then none until the window is over;
 * - one group of addresses over all names: a burst, then one at a time;
 * - one user over all groups of addresses: a burst, then one at a time. Calm groups of addresses have a rate of their
 *   own, so that those that guess cannot use it up.
 *
 * No user is locked out: at a group of addresses from which he has logged in, only the first of the three holds for him,
 * and elsewhere an attempt from a calm one waits for `PER_USER_CALM.leakMs` at a time.
 */
export class LoginThrottle {
  readonly #now: () => number;
  readonly #addresses: LeakyBuckets;
  /** Failures by group of addresses, for as long as it is not quiet. */
  readonly #restless: ExpiringMap<number>;
  readonly #users: UserCounts;
  readonly #unknown: UserCounts;
  /** Pairs of user and group of addresses with a login. */
  readonly #known: ExpiringMap<true>;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#addresses = new LeakyBuckets({ ...PER_ADDRESS, limit: REMEMBERED, now });
    this.#restless = new ExpiringMap({ limit: REMEMBERED, lifetimeMs: QUIET_MS, now });
    this.#users = new UserCounts(now);
    this.#unknown = new UserCounts(now);
    this.#known = new ExpiringMap({ limit: REMEMBERED, lifetimeMs: KNOWN_MS, now });
  }

  /** Entries that are held, of all kinds. */
  get size(): number {
    const counts = [this.#users, this.#unknown].flatMap(({ pairs, calm, others }) => [pairs, calm, others]);
    return [this.#addresses, this.#restless, this.#known, ...counts].reduce((sum, { size }) => sum + size, 0);
  }

  /** Whether this user has logged in from there. */
  isKnown(attempt: Attempt): boolean {
    return this.#known.get(pairOf(attempt)) === true;
  }

  /** How long to wait before the attempt; `undefined` when it may be made now. */
  wait(attempt: Attempt): Wait | undefined {
    const failures = this.#failures(attempt);
    if (failures && failures.count >= FAILURES)
      return waitFor(failures.since + WINDOW_MS - this.#now(), 'user_from_address');
    if (this.isKnown(attempt)) return undefined;
    return (
      waitFor(this.#addresses.waitMs(attempt.group), 'address') ??
      waitFor(this.#userBuckets(attempt).waitMs(attempt.user), 'user')
    );
  }

  /**
   * Counted before the password is checked, so that attempts made at once count too.
   *
   * @returns takes it back: an attempt that came to no answer is no failure
   */
  attempted(attempt: Attempt): { withdraw: () => void } {
    const buckets = this.#userBuckets(attempt);
    const { count, since } = this.#failures(attempt) ?? { count: 0, since: this.#now() };
    this.#counts(attempt).pairs.set(pairOf(attempt), { count: count + 1, since });
    this.#addresses.add(attempt.group);
    this.#addRestless(attempt.group, 1);
    buckets.add(attempt.user);
    return {
      withdraw: () => {
        const now = this.#failures(attempt);
        if (now && now.count > 1)
          this.#counts(attempt).pairs.set(pairOf(attempt), { ...now, count: now.count - 1 });
        else this.#counts(attempt).pairs.delete(pairOf(attempt));
        this.#addresses.takeBack(attempt.group);
        this.#addRestless(attempt.group, -1);
        buckets.takeBack(attempt.user);
      },
    };
  }

  /** What this user failed at from there is forgotten; the attempt itself is to be withdrawn. */
  succeeded(attempt: Attempt): void {
    this.#counts(attempt).pairs.delete(pairOf(attempt));
    this.#known.set(pairOf(attempt), true);
  }

  #counts({ exists }: Attempt): UserCounts {
    return exists ? this.#users : this.#unknown;
  }

  #userBuckets(attempt: Attempt): LeakyBuckets {
    const isCalm = (this.#restless.get(attempt.group) ?? 0) < CALM_BELOW;
    return isCalm ? this.#counts(attempt).calm : this.#counts(attempt).others;
  }

  #addRestless(group: string, change: 1 | -1): void {
    const failures = (this.#restless.get(group) ?? 0) + change;
    if (failures > 0) this.#restless.set(group, failures);
    else this.#restless.delete(group);
  }

  #failures(attempt: Attempt): Failures | undefined {
    const found = this.#counts(attempt).pairs.get(pairOf(attempt));
    return found && this.#now() - found.since < WINDOW_MS ? found : undefined;
  }
}

const pairOf = ({ group, user }: Attempt): string => `${group} ${user}`;

const waitFor = (ms: number, reason: Wait['reason']): Wait | undefined =>
  ms > 0 ? { seconds: Math.ceil(ms / 1_000), reason } : undefined;
