import { widerGroup } from './address-group.js';
import { ExpiringMap } from './expiring-map.js';
import { LeakyBuckets } from './leaky-buckets.js';
import { HOLD_MS, RateLines } from './rate-lines.js';
import { hashToken, randomToken } from './secrets.js';

/** Failures of one user from one group of addresses that are tolerated within the window. */
export const FAILURES = 10;
export const WINDOW_MS = 5 * 60_000;
/** Failures of one group of addresses over all names: this many at once, then one in so many ms. */
export const PER_ADDRESS = { capacity: 50, leakMs: 6_000 };
/** Turns at one group of addresses that all unknown names share. A name that is invented gets no turn of its own. */
export const UNKNOWN_SHARES = 16;
/** A group of addresses is calm for a user with fewer failures than this; one is forgotten in each of these, in ms. */
export const CALM_BELOW = 3;
export const CALM_LEAK_MS = 20 * 60_000;
/** Failures of one user from all groups of addresses that are calm for him, and from all others. */
export const PER_USER_CALM = { capacity: 20, leakMs: 3_000 };
export const PER_USER = { capacity: 20, leakMs: 30_000 };
/** Longest wait that a caller is told, in ms: it comes again while its place is kept. */
export const LONGEST_TOLD_MS = HOLD_MS / 2;
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
  /** By pair: decides which of the two rates holds. */
  readonly recent: LeakyBuckets;
  readonly calm: RateLines;
  readonly others: RateLines;

  constructor(now: () => number) {
    const shared = { limit: REMEMBERED, now };
    this.pairs = new ExpiringMap({ limit: REMEMBERED, lifetimeMs: WINDOW_MS, now });
    this.recent = new LeakyBuckets({ capacity: CALM_BELOW, leakMs: CALM_LEAK_MS, ...shared });
    this.calm = new RateLines({ ...PER_USER_CALM, ...shared, crowdOf: widerGroup });
    this.others = new RateLines({ ...PER_USER, ...shared, crowdOf: widerGroup });
  }

  get size(): number {
    return this.pairs.size + this.recent.size + this.calm.size + this.others.size;
  }
}

/**
 * Counts failed logins, in this process, and slows guessing down:
 *
 * - one user from one group of addresses: `FAILURES` in `WINDOW_MS`, then none until the window is over;
 * - one group of addresses over all names: a burst, then one at a time, users in turn;
 * - one user over all groups of addresses: a burst, then one at a time, groups of addresses in turn. Groups with few
 *   recent failures of this user have a rate of their own.
 *
 * At a group of addresses where the user is known, only the first of the three holds, and what fails there takes no turn
 * from others. Elsewhere an attempt waits for one turn of each other caller at most, however often those ask, provided
 * that it is repeated within `HOLD_MS`.
 */
export class LoginThrottle {
  readonly #now: () => number;
  /** Callers cannot compute which unknown names share a turn: that would tell them which names are known. */
  readonly #salt = randomToken();
  readonly #addresses: RateLines;
  readonly #users: UserCounts;
  readonly #unknown: UserCounts;
  /** Pairs of user and group of addresses with a login. */
  readonly #known: ExpiringMap<true>;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#addresses = new RateLines({ ...PER_ADDRESS, limit: REMEMBERED, now, crowdOf: (user) => user });
    this.#users = new UserCounts(now);
    this.#unknown = new UserCounts(now);
    this.#known = new ExpiringMap({ limit: REMEMBERED, lifetimeMs: KNOWN_MS, now });
  }

  /** Entries that are held, of all kinds. */
  get size(): number {
    return this.#addresses.size + this.#users.size + this.#unknown.size + this.#known.size;
  }

  /** Whether this user has logged in from there, or used a login there. */
  isKnown(attempt: Attempt): boolean {
    return this.#known.get(pairOf(attempt)) === true;
  }

  /** Asks for a turn. How long to wait before the attempt; `undefined` when it may be made now. */
  wait(attempt: Attempt): Wait | undefined {
    const failures = this.#failures(attempt);
    if (failures && failures.count >= FAILURES)
      return waitFor(failures.since + WINDOW_MS - this.#now(), 'user_from_address');
    if (this.isKnown(attempt)) return undefined;
    const { group, user } = attempt;
    // Never more than one turn: the place in the line would tell which names are unknown.
    const atAddress = Math.min(this.#addresses.ask(group, this.#shareOf(attempt)), PER_ADDRESS.leakMs);
    if (atAddress > 0) return waitFor(atAddress, 'address');
    return waitFor(Math.min(this.#rate(attempt).ask(user, group), LONGEST_TOLD_MS), 'user');
  }

  /**
   * Counted before the password is checked, so that attempts made at once count too.
   *
   * @returns takes it back: an attempt that came to no answer is no failure
   */
  attempted(attempt: Attempt): { withdraw: () => void } {
    const { group, user } = attempt;
    const { pairs, recent } = this.#counts(attempt);
    const pair = pairOf(attempt);
    const rate = this.isKnown(attempt) ? undefined : this.#rate(attempt);
    const { count, since } = this.#failures(attempt) ?? { count: 0, since: this.#now() };
    pairs.set(pair, { count: count + 1, since });
    recent.add(pair);
    if (rate) this.#addresses.use(group, this.#shareOf(attempt));
    rate?.use(user, group);
    return {
      withdraw: () => {
        const now = this.#failures(attempt);
        if (now && now.count > 1) pairs.set(pair, { ...now, count: now.count - 1 });
        else pairs.delete(pair);
        recent.takeBack(pair);
        if (rate) this.#addresses.takeBack(group);
        rate?.takeBack(user);
      },
    };
  }

  /** What this user failed at from there is forgotten; the attempt itself is to be withdrawn. */
  succeeded(attempt: Attempt): void {
    const { pairs, recent } = this.#counts(attempt);
    pairs.delete(pairOf(attempt));
    recent.delete(pairOf(attempt));
    this.remember(attempt);
  }

  /** The user is known there: what he sent proves a login. */
  remember(attempt: Attempt): void {
    this.#known.set(pairOf(attempt), true);
  }

  #counts({ exists }: Attempt): UserCounts {
    return exists ? this.#users : this.#unknown;
  }

  /** Whose turn it is at a group of addresses. */
  #shareOf({ user, exists }: Attempt): string {
    return exists ? user : `unknown ${hashToken(`${this.#salt} ${user}`)[0]! % UNKNOWN_SHARES}`;
  }

  #rate(attempt: Attempt): RateLines {
    const { recent, calm, others } = this.#counts(attempt);
    return recent.waitMs(pairOf(attempt)) === 0 ? calm : others;
  }

  #failures(attempt: Attempt): Failures | undefined {
    const found = this.#counts(attempt).pairs.get(pairOf(attempt));
    return found && this.#now() - found.since < WINDOW_MS ? found : undefined;
  }
}

const pairOf = ({ group, user }: Attempt): string => `${group} ${user}`;

const waitFor = (ms: number, reason: Wait['reason']): Wait | undefined =>
  ms > 0 ? { seconds: Math.ceil(ms / 1_000), reason } : undefined;
