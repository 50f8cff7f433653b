import type { SimProcess, VirtualClock } from './virtual-clock.js';

/** What may go wrong with one statement: it was not carried out, or it was and nobody hears of it. */
export type StatementFault = 'none' | 'refused' | 'answer_lost';

export interface DatabaseLinkOptions {
  clock: VirtualClock;
  owner: SimProcess;
  latency: () => number;
  fault: () => StatementFault;
}

const NEVER = new Promise<never>(() => {});

class Unavailable extends Error {
  readonly code = 'unavailable';
  readonly shouldRetry = true;
}

/**
 * A port whose truth is elsewhere: each call takes its time there and back. What was sent is carried out even if the
 * caller dies meanwhile, and then nobody hears of it.
 */
export function overLink<T extends object>(port: T, options: DatabaseLinkOptions): T {
  const { clock, owner, latency, fault } = options;
  const call = async (work: () => unknown): Promise<unknown> => {
    const what = fault();
    await clock.as(undefined, () => clock.sleep(latency()));
    if (what === 'refused') {
      if (!owner.alive) return NEVER;
      throw new Unavailable('the database refused the connection');
    }
    const result: unknown = await work();
    await clock.as(undefined, () => clock.sleep(latency()));
    if (!owner.alive) return NEVER;
    if (what === 'answer_lost') throw new Unavailable('the connection to the database was lost');
    return result;
  };
  return new Proxy(port, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]) => call(() => Reflect.apply(method, target, args));
    },
  });
}
