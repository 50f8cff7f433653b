import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { PlatformError } from '../src/errors.js';
import type { Platform, PlatformSession } from '../src/platform.js';
import { type MemoryPlatform, memoryPlatform } from '../src/testing/index.js';
import { but, lying, never, turn, type BrokenDriver } from './kit-broken.js';

const HIBERNATED = 'refuses a lower generation of a session that hibernates';
const INVALID = 'refuses session ids that are no DNS labels';
const OUTAGE = 'asks to be tried again while its host does not answer, and goes on when it does';
const HANDS_OFF = 'keeps its hands off the sessions of another agent on the same place';
const HOMES = 'keeps a persistent home over a stop, and removes one that is not';
const CRASH = 'notices a session that ended by itself, and can start it again';

/** Sound in the middle, and wrong at an edge: asleep, failed, closed, shared, in an outage, in large chunks. */
export const brokenAtEdges: readonly BrokenDriver[] = [
  ...(['start', 'stop', 'wake'] as const).map((call): BrokenDriver => ({
    fault: `takes a ${call} by an older command for a session that hibernates`,
    failsIn: HIBERNATED,
    because: new RegExp(
      `${call} of a hibernated session, with a lower generation, must reject with stale_generation; it resolved`,
    ),
    driver(sound) {
      const newest = async (sessionId: string, change: { commandId: string; generation: number }) => {
        const found = await sound.inspect(sessionId, never);
        return found?.state === 'hibernated' ? { ...change, generation: found.generation } : change;
      };
      return but(sound, {
        ...(call === 'start' && {
          start: async (spec, change, signal) =>
            sound.start(spec, await newest(spec.sessionId, change), signal),
        }),
        ...(call === 'stop' && {
          stop: async (sessionId, change, signal) =>
            sound.stop(sessionId, await newest(sessionId, change), signal),
        }),
        ...(call === 'wake' && {
          wake: async (sessionId, change, signal) =>
            sound.wake(sessionId, await newest(sessionId, change), signal),
        }),
      });
    },
  })),
  {
    fault: 'starts no newer generation of a session that hibernates',
    failsIn: 'starts and stops a session that hibernates, for a higher generation',
    because: /start must succeed; it rejected with stale_generation/,
    driver: (sound) => refusingNewer(sound, 'hibernated'),
  },
  {
    fault: 'starts no newer generation of a session that failed',
    failsIn: 'starts and stops a session that failed, for a higher generation',
    because: /start must succeed; it rejected with stale_generation/,
    driver: (sound) => refusingNewer(sound, 'failed'),
  },
  ...(['hibernate', 'wake', 'inspect', 'openStream'] as const).map((call): BrokenDriver => ({
    fault: `looks for whatever id it is given, in ${call}`,
    failsIn: INVALID,
    because: new RegExp(`${call} of the session id "" must reject with invalid_session_id`),
    driver: (sound) => but(sound, { [call]: unchecked(sound, call) }),
  })),
  {
    fault: 'drops what is beyond 4096 bytes of a chunk',
    failsIn: 'carries more than 64 KiB, in chunks of any size, and loses nothing',
    because: /an exchange of more than 64 KiB did not settle/,
    driver: (sound) =>
      but(sound, {
        async openStream(...of) {
          const channel = await sound.openStream(...of);
          const write = channel.write.bind(channel);
          return Object.assign(channel, {
            write: (bytes: Uint8Array) => write(bytes.subarray(0, 4_096)),
          }) satisfies ByteChannel;
        },
      }),
  },
  ...(['hibernate', 'wake', 'openStream'] as const).map((call): BrokenDriver => ({
    fault: `takes a session for gone while its host does not answer, in ${call}`,
    failsIn: OUTAGE,
    because: new RegExp(
      `${call}, while the host does not answer, must reject with shouldRetry true; it rejected with session_not_found`,
    ),
    driver: (sound) => {
      const gone = (error: PlatformError): never => {
        throw error.code === 'platform_unavailable'
          ? new PlatformError('session_not_found', 'it is not there')
          : error;
      };
      const { hibernate, wake, openStream } = sound;
      return but(sound, {
        ...(call === 'hibernate' && { hibernate: (...of) => hibernate(...of).catch(gone) }),
        ...(call === 'wake' && { wake: (...of) => wake(...of).catch(gone) }),
        ...(call === 'openStream' && { openStream: (...of) => openStream(...of).catch(gone) }),
      });
    },
  })),
  {
    fault: 'loses a session whose wake fails',
    failsIn: 'leaves a session hibernated when its wake fails',
    because: /after a wake that failed, the session is failed; it must be hibernated/,
    driver: (sound, host) =>
      but(sound, {
        wake: (sessionId, change, signal) =>
          sound.wake(sessionId, change, signal).catch((error: unknown) => {
            host.records.set(sessionId, { sessionId, ...change, state: 'failed', reason: 'no room' });
            throw error;
          }),
      }),
  },
  {
    fault: 'does not say why a session failed',
    failsIn: CRASH,
    because: /after a crash, inspect has a session that failed without a reason; it must say why/,
    driver: (sound) =>
      but(
        sound,
        lying(sound, ({ reason: _, ...truth }) => truth),
      ),
  },
  ...[Number.NaN, -1, Number.POSITIVE_INFINITY].map((cpuSeconds): BrokenDriver => ({
    fault: `says that a session has used ${cpuSeconds} s of CPU`,
    failsIn: 'lists every session, and agrees with inspect about each',
    because: new RegExp(`has the usage cpuSeconds ${cpuSeconds}; it must be a finite number, at least 0`),
    driver: (sound) =>
      but(
        sound,
        lying(sound, (truth) => ({ ...truth, usage: { cpuSeconds, memoryBytes: 0 } })),
      ),
  })),
  {
    fault: 'lets one who watches and throws silence the others',
    failsIn: 'tells the others who watch when one of them throws',
    because: /watch must report a crash to all who watch, one that throws among them; it did not/,
    driver(sound) {
      const watchers = new Set<(session: PlatformSession) => void>();
      sound.watch!((session) => {
        for (const watcher of watchers) watcher(session);
      });
      return but(sound, {
        watch(changed) {
          watchers.add(changed);
          return () => void watchers.delete(changed);
        },
      });
    },
  },
  {
    fault: 'removes every home with its session',
    failsIn: HOMES,
    because: /after a stop, the persistent home is gone; it must be home 1, as before/,
    driver: (sound) =>
      but(sound, {
        start: (spec, ...rest) => sound.start({ ...spec, persistentHome: false }, ...rest),
      }),
  },
  {
    fault: 'keeps every home',
    failsIn: HOMES,
    because: /after a stop, a home that is not persistent is left: home 1/,
    driver: (sound) =>
      but(sound, {
        start: (spec, ...rest) => sound.start({ ...spec, persistentHome: true }, ...rest),
      }),
  },
  {
    fault: 'does not go on with a start that an earlier agent has begun',
    failsIn: 'completes a start in the middle of which an agent died',
    because: /start must succeed; it rejected with busy/,
    driver: (sound, host) =>
      but(sound, {
        async start(spec, change, signal) {
          const { sessionId } = spec;
          if (host.records.get(sessionId)?.state === 'starting')
            throw new PlatformError('busy', 'somebody starts it', true);
          host.records.set(sessionId, { sessionId, ...change, state: 'starting' });
          return sound.start(spec, change, signal);
        },
      }),
  },
  {
    fault: 'goes on with a start when it is closed',
    failsIn: 'starts nothing once it is closed, of what was under way or waited by then',
    because: /must not go on after close has resolved; it did, and started a session/,
    driver(sound, host) {
      let closed = false;
      const unclosed = memoryPlatform({ host });
      return but(sound, {
        async start(spec, change, signal) {
          if (closed) throw new PlatformError('platform_unavailable', 'it is closed');
          for (let i = 0; i < 5; i++) await turn();
          return unclosed.start(spec, change, signal);
        },
        async close() {
          closed = true;
        },
      });
    },
  },
  {
    fault: 'lists the sessions of all agents',
    failsIn: HANDS_OFF,
    because: /while one agent has a session, list has a session that another agent owns/,
    driver: (sound, host) => but(sound, { list: async () => [...host.records.values()] }),
  },
  {
    fault: 'stops whatever has the id, whoever owns it',
    failsIn: HANDS_OFF,
    because: /a stream to a session after another agent was told to stop it must carry bytes/,
    driver: (sound, host) =>
      but(sound, {
        async stop(sessionId, ...rest) {
          await sound.stop(sessionId, ...rest);
          host.end(host.desktopOf(sessionId));
        },
      }),
  },
  {
    fault: 'tidies up after a start that found its name taken',
    failsIn: HANDS_OFF,
    because: /a stream to a session after another agent was told to start one of its id must carry bytes/,
    driver: (sound, host) =>
      but(sound, {
        start: (spec, ...rest) =>
          sound.start(spec, ...rest).catch((error: unknown) => {
            host.end(host.desktopOf(spec.sessionId));
            throw error;
          }),
      }),
  },
];

function refusingNewer(sound: MemoryPlatform, state: PlatformSession['state']): Platform {
  return but(sound, {
    async start(spec, change, signal) {
      const found = await sound.inspect(spec.sessionId, signal);
      if (found?.state === state && found.generation < change.generation)
        throw new PlatformError('stale_generation', 'it is another generation');
      return sound.start(spec, change, signal);
    },
  });
}

/** A call that takes its session for missing where it should have refused the id. */
function unchecked(sound: MemoryPlatform, call: 'hibernate' | 'wake' | 'inspect' | 'openStream') {
  return async (...of: never[]): Promise<unknown> => {
    try {
      return await (sound[call] as (...args: never[]) => Promise<unknown>)(...of);
    } catch (error) {
      if ((error as PlatformError).code !== 'invalid_session_id') throw error;
      if (call === 'inspect') return undefined;
      throw new PlatformError('session_not_found', 'there is no such session');
    }
  };
}
