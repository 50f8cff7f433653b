import type { Change, Platform } from '@streamspace/agent-core';
import { memoryPlatform } from '@streamspace/agent-core/testing';
import type { EventOf, Timed } from '../history.js';

/** A platform in memory that notes what it carried out. */
export function recordingPlatform(): { platform: Platform; log: Timed<EventOf<'effect'>>[] } {
  const memory = memoryPlatform();
  const log: Timed<EventOf<'effect'>>[] = [];
  const noted = async <T>(
    action: EventOf<'effect'>['action'],
    sessionId: string,
    change: Change,
    work: () => Promise<T>,
  ): Promise<T> => {
    const { length } = memory.effects;
    const result = await work();
    // Others may have had their effect meanwhile.
    const own = `${action === 'start_session' ? 'start' : 'stop'} ${sessionId}`;
    const changed = memory.effects.slice(length).includes(own);
    log.push({ at: Date.now(), event: { kind: 'effect', sessionId, action, ...change, changed } });
    return result;
  };
  const platform: Platform = {
    ...memory,
    start: (spec, change, signal) =>
      noted('start_session', spec.sessionId, change, () => memory.start(spec, change, signal)),
    stop: (sessionId, change, signal) =>
      noted('stop_session', sessionId, change, () => memory.stop(sessionId, change, signal)),
  };
  return { platform, log };
}
