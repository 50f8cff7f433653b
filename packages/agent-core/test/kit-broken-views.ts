import { channelPair } from '@streamspace/vnc-tunnel/testing';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { PlatformError } from '../src/errors.js';
import type { PlatformSession } from '../src/platform.js';
import { but, hang, lying, type BrokenDriver } from './kit-broken.js';

/** Wrong in their streams, in what they tell of their sessions, and in what they keep. */
export const brokenInViews: readonly BrokenDriver[] = [
  {
    fault: 'shares one stream between its viewers',
    failsIn: 'gives each viewer a connection of its own',
    because: /openStream must give a channel of its own to each call; it gave one twice/,
    driver(sound) {
      const shared = new Map<string, ByteChannel>();
      return but(sound, {
        async openStream(sessionId, ...rest) {
          const channel = shared.get(sessionId) ?? (await sound.openStream(sessionId, ...rest));
          shared.set(sessionId, channel);
          return channel;
        },
      });
    },
  },
  {
    fault: 'ends every stream of a session with the first',
    failsIn: 'gives each viewer a connection of its own',
    because: /a stream, after that of another viewer was aborted, must carry bytes/,
    driver: (sound, host) =>
      but(sound, {
        async openStream(sessionId, ...rest) {
          const channel = await sound.openStream(sessionId, ...rest);
          const desktop = host.desktopOf(sessionId);
          void channel.closed.then(() => {
            for (const other of desktop?.connections ?? []) other.abort();
          });
          return channel;
        },
      }),
  },
  {
    fault: 'does not say whether trying again can help',
    failsIn: 'refuses connections to what is not there',
    because: /what it rejected with does not say in shouldRetry whether trying again can help/,
    driver: (sound) =>
      but(sound, {
        openStream: (...of) =>
          sound.openStream(...of).catch((error: PlatformError) => {
            throw Object.assign(new Error(error.message), { code: error.code });
          }),
      }),
  },
  {
    fault: 'has the wrong code for a port that is not there',
    failsIn: 'refuses connections to what is not there',
    because:
      /openStream to a port that is not there must reject with connect_failed; it rejected with session_not_found/,
    driver: (sound) =>
      but(sound, {
        async openStream(sessionId, port, signal) {
          if (port !== 'vnc') throw new PlatformError('session_not_found', 'no');
          return sound.openStream(sessionId, port, signal);
        },
      }),
  },
  {
    fault: 'has streams that never end',
    failsIn: 'ends the connections of a session with the session',
    because: /the end of a stream to a session that was stopped did not settle/,
    driver: (sound) =>
      but(sound, {
        async openStream(...of) {
          const inner = await sound.openStream(...of);
          const [near, far] = channelPair();
          void forward(far, inner);
          void forward(inner, far);
          return near;
        },
      }),
  },
  {
    fault: 'takes viewers of a session that hibernates',
    failsIn: 'ends the connections of a session that hibernates, and takes none until it wakes',
    because:
      /openStream to a session that hibernates must reject with session_not_found or connect_failed; it resolved/,
    driver: (sound, host) =>
      but(sound, {
        async openStream(sessionId, port, signal) {
          if (host.records.get(sessionId)?.state !== 'hibernated')
            return sound.openStream(sessionId, port, signal);
          return channelPair()[0];
        },
      }),
  },
  {
    fault: 'keeps something of each connection',
    failsIn: 'keeps nothing of connections that are over',
    because: /after \d+ streams that are over, more than the 1 from before is left/,
    driver: (sound, host) =>
      but(sound, {
        async openStream(sessionId, ...rest) {
          const channel = await sound.openStream(sessionId, ...rest);
          host.desktopOf(sessionId)?.connections.add(channelPair()[0]);
          return channel;
        },
      }),
  },
  {
    fault: 'lists running sessions only',
    failsIn: 'lists every session, and agrees with inspect about each',
    because: /with three sessions, list omits kit-/,
    driver: (sound) =>
      but(sound, {
        list: async (signal) => (await sound.list(signal)).filter(({ state }) => state === 'running'),
      }),
  },
  {
    fault: 'lists the first page of its sessions',
    failsIn: 'lists every session, and agrees with inspect about each',
    because: /with three sessions, list omits kit-/,
    driver: (sound) => but(sound, { list: async (signal) => (await sound.list(signal)).slice(0, 2) }),
  },
  {
    fault: 'inspects something else than it lists',
    failsIn: 'lists every session, and agrees with inspect about each',
    because: /with three sessions, inspect has the session in state starting; it must be running/,
    driver: (sound) =>
      but(sound, {
        async inspect(...of) {
          const truth = await sound.inspect(...of);
          return truth?.state === 'running' ? { ...truth, state: 'starting' } : truth;
        },
      }),
  },
  {
    fault: 'lists sessions of others',
    failsIn: 'lists a session with who changed it last, until it is stopped',
    because: /before anything was started, list has somebody-elses, which nobody started/,
    driver: (sound) =>
      but(sound, {
        list: async (signal) => [...(await sound.list(signal)), SOMEBODY_ELSES],
      }),
  },
  {
    fault: 'lists a wrong generation',
    failsIn: 'lists a session with who changed it last, until it is stopped',
    because: /after start, inspect has generation 1; it must be 2/,
    driver: (sound) =>
      but(
        sound,
        lying(sound, (truth) => ({ ...truth, generation: 1 })),
      ),
  },
  {
    fault: 'records the command that started a session, whatever came after it',
    failsIn: 'hibernates a session and wakes it',
    because: /has the command id .*; it must be .*, of the last change/,
    driver(sound) {
      const started = new Map<string, string>();
      return but(sound, {
        ...lying(sound, (truth) => ({
          ...truth,
          commandId: started.get(truth.sessionId) ?? truth.commandId,
        })),
        async start(spec, change, signal) {
          started.set(spec.sessionId, change.commandId);
          return sound.start(spec, change, signal);
        },
      });
    },
  },
  {
    fault: 'reports to those who do not watch any more',
    failsIn: 'tells who watches what happens by itself, and nobody else any more',
    because: /watch must report nothing after it was told to stop; it did/,
    driver: (sound) =>
      but(sound, {
        watch(changed) {
          sound.watch!(changed);
          return () => undefined;
        },
      }),
  },
  {
    fault: 'reports nothing to those who watch',
    failsIn: 'tells who watches what happens by itself, and nobody else any more',
    because: /watch must report a session that crashed; it reported nothing of it/,
    driver: (sound) => but(sound, { watch: () => () => undefined }),
  },
  {
    fault: 'leaks with each wake',
    failsIn: 'gives everything back over the life of a session',
    because: /after the life of a session, this is left: desktop of kit-/,
    driver: (sound, host) =>
      but(sound, {
        async wake(sessionId, change, signal) {
          host.boot(`${sessionId}-tmp`, change.generation);
          return sound.wake(sessionId, change, signal);
        },
      }),
  },
  {
    fault: 'hangs when it is closed a second time',
    failsIn: 'closes once, however often it is asked to, and starts nothing after that',
    because: /close did not settle within \d+ ms/,
    driver(sound) {
      let closed = false;
      return but(sound, {
        async close() {
          if (closed) await hang();
          closed = true;
          await sound.close();
        },
      });
    },
  },
  {
    fault: 'fails when it is closed a second time',
    failsIn: 'closes once, however often it is asked to, and starts nothing after that',
    because: /close must succeed; it rejected with closed: already closed/,
    driver(sound) {
      let closed = false;
      return but(sound, {
        async close() {
          if (closed) throw new PlatformError('closed', 'already closed');
          closed = true;
          await sound.close();
        },
      });
    },
  },
  {
    fault: 'starts sessions after it was closed',
    failsIn: 'closes once, however often it is asked to, and starts nothing after that',
    because: /start after close must reject; it resolved/,
    driver: (sound) => but(sound, { close: () => Promise.resolve() }),
  },
  {
    fault: 'ends its sessions when it is closed, and says that they survive',
    failsIn: 'leaves its sessions to the next agent when it is closed',
    because: /after close and a restart, list omits kit-/,
    driver: (sound, host) =>
      but(sound, {
        async close() {
          for (const desktop of host.desktops) host.end(desktop);
          host.records.clear();
          await sound.close();
        },
      }),
  },
];

const SOMEBODY_ELSES: PlatformSession = {
  sessionId: 'somebody-elses',
  generation: 1,
  commandId: 'unknown',
  state: 'running',
};

/** Passes bytes on, and nothing of how the channel ends. */
async function forward(from: ByteChannel, to: ByteChannel): Promise<void> {
  try {
    for (let chunk = await from.read(); chunk; chunk = await from.read()) await to.write(chunk);
  } catch {
    // That is what is broken.
  }
}
