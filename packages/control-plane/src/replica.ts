import { setTimeout as sleep } from 'node:timers/promises';
import { ControlPlaneError } from './errors.js';
import type { ControlPlaneEvent } from './events.js';
import { DatabaseError, hasDatabaseEnded } from './stores/database-error.js';
import type { Forgotten, Holder, Look, ReplicaStore, ReplicaTiming } from './stores/replicas.js';

/** How often a start looks whether its name is free, in looks per beat. */
const LOOKS_PER_BEAT = 10;
/** How long a start watches a holder that is silent already, in beats: the database may have been away. */
const SETTLE_BEATS = 4 / 3;
/** How long gaps between looks may take in all, in `deadMs`. Past it the database answers too slowly to judge a holder. */
const GAPS_LIMIT = 3;
/** How long ending the row may take, in ms. Past it the row stays, and counts as dead once it is silent. */
const END_LIMIT_MS = 1_000;

type Verdict = 'free' | 'held' | 'wait' | 'slow';

/**
 * What a start makes of the replicas that have its pod name. Times are those of the database's clock; a step back of that
 * clock counts as no time.
 *
 * The start watches from its first look on, and from the beginning after a gap between looks of more than a beat: the
 * database may have been away.
 *
 * `free`: there is no holder, or each has been silent for `deadMs` and was watched for {@link SETTLE_BEATS}, or none has
 * beaten in `deadMs` of watching.
 * `held`: one has beaten after the watch began, `deadMs` ago. A process that was killed cannot, whatever the clock says.
 * `slow`: gaps took {@link GAPS_LIMIT} times `deadMs`; a single gap counts as `deadMs` at most.
 * `wait`: none of these is certain yet.
 */
export class NameWatch {
  /** Last beats when the watch began, by boot. */
  #first: ReadonlyMap<string, number> = new Map();
  #last: number | undefined;
  #watchedMs = 0;
  #gapsMs = 0;
  readonly #timing: ReplicaTiming;

  constructor(timing: ReplicaTiming) {
    this.#timing = timing;
  }

  judge({ now, holders }: Look): Verdict {
    const { beatMs, deadMs } = this.#timing;
    if (holders.length === 0) return 'free';
    const passedMs = this.#last === undefined ? 0 : Math.max(0, now - this.#last);
    if (this.#last === undefined || passedMs > beatMs) {
      this.#first = new Map(holders.map(({ bootId, lastBeatUs }) => [bootId, lastBeatUs]));
      this.#watchedMs = 0;
      this.#gapsMs += Math.min(passedMs, deadMs);
    } else this.#watchedMs += passedMs;
    this.#last = now;
    if (this.#gapsMs >= GAPS_LIMIT * deadMs) return 'slow';
    const isSilent = holders.every(({ silentMs }) => silentMs >= deadMs);
    if (isSilent) return this.#watchedMs >= SETTLE_BEATS * beatMs ? 'free' : 'wait';
    if (this.#watchedMs < deadMs) return 'wait';
    const lives = (holder: Holder): boolean =>
      holder.silentMs < deadMs && this.#first.get(holder.bootId) !== holder.lastBeatUs;
    return holders.some(lives) ? 'held' : 'free';
  }
}

export interface ReplicaOptions {
  readonly store: ReplicaStore;
  readonly podName: string;
  readonly timing: ReplicaTiming;
  /** No other process can have the database open: nothing is waited for. */
  readonly sole: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent: (event: ControlPlaneEvent) => void;
  readonly onError: (error: unknown, where: string) => void;
}

/**
 * This start of the control plane, as other replicas see it.
 *
 * waiting --the name is free--> beating --dispose--> ended
 *     \--another replica has it--> refused
 *
 * A replica that was silent for too long is reaped: its row is deleted and its agents' connections are forgotten, but
 * their epochs stay. When it wakes, its next beat writes the row again, and the heartbeats of agents that have not
 * connected elsewhere bring their connections back.
 */
export class Replica implements AsyncDisposable {
  readonly #options: ReplicaOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #underWay: Promise<void> | undefined;
  #isFailing = false;
  #closed: Promise<void> | undefined;

  /**
   * Takes the pod name, and waits for as long as it is not certain whether the replica that has it lives, but not longer
   * than {@link NameWatch} allows.
   *
   * @throws ControlPlaneError `pod_name_in_use`; DatabaseError, also `timeout` where the database answers too slowly to
   *   judge; the signal's reason
   */
  static async start(options: ReplicaOptions): Promise<Replica> {
    const forgotten = options.sole ? await options.store.takeAlone() : await takeName(options);
    tell(options, forgotten);
    return new Replica(options);
  }

  private constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#underWay ??= this.#round().finally(() => (this.#underWay = undefined));
    }, options.timing.beatMs);
    this.#timer.unref();
  }

  /** Forgets connections that belong to no replica's row. For housekeeping: it reads all agents. */
  async reapUnknown(): Promise<void> {
    tell(this.#options, await this.#options.store.reapUnknown());
  }

  async #round(): Promise<void> {
    const { store, onError } = this.#options;
    try {
      await store.beat();
      tell(this.#options, await store.reap());
      this.#isFailing = false;
    } catch (error) {
      if (hasDatabaseEnded(error)) clearInterval(this.#timer);
      // Once per outage: the next rounds say nothing new.
      if (!this.#isFailing) onError(error, 'reporting that this replica runs');
      this.#isFailing = true;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    const ended = async (): Promise<void> => {
      await this.#underWay;
      await this.#options.store.end();
    };
    const limit = new AbortController();
    const done = ended()
      .catch((error: unknown) => this.#options.onError(error, 'ending the row of this replica'))
      .finally(() => limit.abort());
    await Promise.race([
      done,
      sleep(END_LIMIT_MS, undefined, { signal: limit.signal }).catch(() => undefined),
    ]);
  }
}

async function takeName(options: ReplicaOptions): Promise<Forgotten[]> {
  const { store, podName, timing, signal, onEvent } = options;
  const watch = new NameWatch(timing);
  for (let isFirst = true; ; isFirst = false) {
    signal?.throwIfAborted();
    let verdict: Verdict = 'wait';
    let holder: Holder | undefined;
    const forgotten = await store.take((look) => {
      [holder] = look.holders;
      verdict = watch.judge(look);
      return verdict === 'free';
    });
    if (forgotten) return forgotten;
    if (holder && (verdict as Verdict) === 'held') throw inUse(podName, holder);
    if (holder && (verdict as Verdict) === 'slow') throw tooSlow(options, holder);
    if (holder && isFirst) {
      const { bootId, startedAt, silentMs } = holder;
      onEvent({ type: 'pod_name_awaited', podName, bootId, startedAt, silentMs, limitMs: timing.deadMs });
    }
    await sleep(timing.beatMs / LOOKS_PER_BEAT, undefined, { signal });
  }
}

function inUse(podName: string, { bootId, startedAt }: Holder): ControlPlaneError {
  return new ControlPlaneError(
    'pod_name_in_use',
    `podName must be a name that no other running replica has; got ${JSON.stringify(podName)}, which replica ${bootId} ` +
      `has, started at ${startedAt.toISOString()} and still running. Stop that replica, or give this one another name.`,
    { heldSince: startedAt },
  );
}

function tooSlow({ podName, timing: { beatMs, deadMs } }: ReplicaOptions, { bootId }: Holder): DatabaseError {
  return new DatabaseError(
    'timeout',
    `database must answer within ${beatMs} ms for a start to see whether replica ${bootId}, which has podName ` +
      `${JSON.stringify(podName)}, still runs; got later answers for ${GAPS_LIMIT * deadMs} ms. ` +
      'Reduce the load of the database, and start again.',
  );
}

function tell({ onEvent }: ReplicaOptions, forgotten: readonly Forgotten[]): void {
  for (const one of forgotten) onEvent({ type: 'connections_forgotten', ...one });
}
