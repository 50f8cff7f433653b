import type { Platform, PlatformSession } from '../src/platform.js';
import type { MemoryPlatform } from '../src/testing/index.js';
import type { Breakage } from './kit-fixture.js';

/** A driver that is wrong in one way, and where the kit has to find it. */
export interface BrokenDriver {
  /** What it does, as a sentence whose subject is the driver. */
  readonly fault: string;
  /** The name of the case that is meant for it. */
  readonly failsIn: string;
  /** The reason that the case gives. */
  readonly because: RegExp;
  readonly driver: Breakage;
}

/** A sound platform but for what is put in the place of its methods. */
export function but(sound: MemoryPlatform, changes: Partial<Platform>): Platform {
  const { name, capabilities, start, stop, hibernate, wake, list, inspect, openStream } = sound;
  return {
    ...{ name, capabilities, start, stop, hibernate, wake, list, inspect, openStream },
    watch: (changed) => sound.watch!(changed),
    close: () => sound.close(),
    ...changes,
  };
}

export const ms = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time));
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
export const hang = (): Promise<never> => new Promise(() => undefined);
export const never: AbortSignal = new AbortController().signal;

/** Lies about each session that it is asked for. */
export function lying(
  sound: MemoryPlatform,
  lie: (truth: PlatformSession) => PlatformSession,
): Partial<Platform> {
  return {
    list: async (signal) => (await sound.list(signal)).map(lie),
    async inspect(sessionId, signal) {
      const truth = await sound.inspect(sessionId, signal);
      return truth && lie(truth);
    },
  };
}
