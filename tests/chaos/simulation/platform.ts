import { PlatformError, type Change, type Platform, type PlatformSession } from '@streamspace/agent-core';
import type { EventOf } from '../history.js';
import type { SimProcess, VirtualClock } from './virtual-clock.js';

const NEVER = new Promise<never>(() => {});

/** Sessions outlive agents here. What an agent asked for is carried out even if it dies meanwhile. */
export class SimPlatform {
  readonly #sessions = new Map<string, PlatformSession>();
  /** The end of the last call of each session. */
  readonly #tails = new Map<string, Promise<unknown>>();

  constructor(
    readonly clock: VirtualClock,
    /** How long the next call takes, in ms. */
    readonly latency: () => number,
    /** Told what was carried out. */
    readonly record: (event: EventOf<'effect'>) => void,
  ) {}

  get held(): PlatformSession[] {
    return [...this.#sessions.values()];
  }

  /** The platform as one agent process reaches it. */
  client(owner: SimProcess): Platform {
    const refuse = async (): Promise<never> => {
      throw new PlatformError('not_supported', 'the simulation starts and stops');
    };
    return {
      name: 'simulated',
      capabilities: { hibernate: false, survivesAgentRestart: true },
      start: (spec, change, signal) =>
        this.#call(owner, spec.sessionId, signal, () => this.#start(spec.sessionId, change)),
      stop: (sessionId, change, signal) =>
        this.#call(owner, sessionId, signal, () => this.#stop(sessionId, change)),
      hibernate: refuse,
      wake: refuse,
      openStream: refuse,
      list: async (signal) => {
        await this.clock.sleep(this.latency());
        signal.throwIfAborted();
        return this.held;
      },
      inspect: async (sessionId) => this.#sessions.get(sessionId),
    };
  }

  async #call<T>(owner: SimProcess, sessionId: string, signal: AbortSignal, work: () => T): Promise<T> {
    const before = this.#tails.get(sessionId) ?? Promise.resolve();
    const call = (async () => {
      await before;
      await this.clock.as(undefined, () => this.clock.sleep(this.latency()));
      // Of a caller that died, nobody takes an abort back.
      if (owner.alive) signal.throwIfAborted();
      const result = work();
      await this.clock.as(undefined, () => this.clock.sleep(this.latency()));
      return result;
    })();
    this.#tails.set(
      sessionId,
      call.catch(() => undefined),
    );
    const result = await call;
    return owner.alive ? result : NEVER;
  }

  #start(sessionId: string, change: Change): PlatformSession {
    const held = this.#guarded(sessionId, change);
    const changed = held?.generation !== change.generation;
    const session: PlatformSession = changed || !held ? { sessionId, ...change, state: 'running' } : held;
    this.#sessions.set(sessionId, session);
    this.#write(sessionId, 'start_session', change, changed);
    return session;
  }

  #stop(sessionId: string, change: Change): void {
    this.#guarded(sessionId, change);
    this.#write(sessionId, 'stop_session', change, this.#sessions.delete(sessionId));
  }

  #guarded(sessionId: string, { generation }: Change): PlatformSession | undefined {
    const held = this.#sessions.get(sessionId);
    if (held && generation < held.generation)
      throw new PlatformError('stale_generation', `held at generation ${held.generation}, not ${generation}`);
    return held;
  }

  #write(sessionId: string, action: EventOf<'effect'>['action'], change: Change, changed: boolean): void {
    this.record({ kind: 'effect', sessionId, action, ...change, changed });
  }
}
