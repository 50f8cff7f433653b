import type { Platform } from '../src/platform.js';
import { PlatformError } from '../src/errors.js';
import {
  echoViewer,
  memoryPlatform,
  type MemoryPlatform,
  type PlatformFixture,
} from '../src/testing/index.js';
import { InMemoryHost } from '../src/testing/memory-host.js';

/** Makes a driver that is not what it should be, of one that is. Called again when the agent is restarted. */
export type Breakage = (sound: MemoryPlatform, host: InMemoryHost) => Platform;

const FAILING = 'fails';

/** A memory platform with everything that a fixture can have, so that no case is skipped. */
export async function memoryFixture(breakage: Breakage = (sound) => sound): Promise<PlatformFixture> {
  const host = new InMemoryHost();
  const held = new Map<string, Promise<void>>();
  const wakesThatFail = new Set<string>();
  /** Its life: aborted, its process is dead. */
  let life = new AbortController();
  const agent = (agentId?: string): Platform => {
    const sound = memoryPlatform({ host, ...(agentId !== undefined && { agentId }) });
    const { signal: dead } = life;
    const { start } = sound;
    sound.start = async (spec, ...rest) => {
      if (spec.template === FAILING) throw new PlatformError('image_missing', 'there is no such image');
      return start(spec, ...rest);
    };
    sound.before = async (what, sessionId, signal) => {
      if (what === 'wake' && wakesThatFail.has(sessionId))
        throw new PlatformError('capacity_exhausted', 'there is no room to wake it', true);
      const released = held.get(sessionId);
      if (!released) return;
      await Promise.race([released, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
      if (dead.aborted) await new Promise(() => undefined);
    };
    return breakage(sound, host);
  };
  return {
    platform: agent(),
    template: { template: 'echo', manifest: {} },
    failingTemplate: { template: FAILING, manifest: {} },
    viewer: echoViewer,
    restart: async () => {
      life.abort();
      life = new AbortController();
      return agent();
    },
    otherAgent: async () => agent('other'),
    leftovers: async () => host.leftovers(),
    crash: async (sessionId) => host.crash(sessionId),
    async hold(sessionId) {
      let release!: () => void;
      held.set(sessionId, new Promise((resolve) => (release = resolve)));
      return () => {
        held.delete(sessionId);
        release();
      };
    },
    async failingWake(sessionId) {
      wakesThatFail.add(sessionId);
      return () => void wakesThatFail.delete(sessionId);
    },
    home: async (sessionId) => host.homes.get(sessionId)?.home,
    isolation: {
      places: async (sessionId) => [
        { kind: 'home', address: sessionId },
        { kind: 'port', address: sessionId },
      ],
      reaches: async (sessionId, { kind, address }) => host.reaches(sessionId, address, kind),
    },
    async outage() {
      host.available = false;
      return () => {
        host.available = true;
      };
    },
    close: async () => undefined,
  };
}
