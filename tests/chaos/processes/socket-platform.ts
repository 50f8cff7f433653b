import { connect } from 'node:net';
import { PlatformError, type Platform, type PlatformSession } from '@streamspace/agent-core';
import { lines, type PlatformRequest, type PlatformResponse } from './platform-wire.js';

/** Without its number. */
type Asked = PlatformRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

/** The platform as an agent has it: every call goes to the platform's process. */
export function socketPlatform(path: string): Platform {
  let last = 0;
  const waiting = new Map<number, (response: PlatformResponse) => void>();
  const socket = connect(path).setEncoding('utf8');
  socket.on(
    'data',
    lines((line) => {
      const response = JSON.parse(line) as PlatformResponse;
      waiting.get(response.id)?.(response);
      waiting.delete(response.id);
    }),
  );
  const send = (request: Asked): number => {
    last += 1;
    socket.write(`${JSON.stringify({ id: last, ...request })}\n`);
    return last;
  };
  const ask = (request: Asked, signal: AbortSignal): Promise<unknown> => {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const id = send(request);
      const onAbort = (): void => void send({ method: 'cancel', of: id });
      signal.addEventListener('abort', onAbort, { once: true });
      waiting.set(id, (response) => {
        signal.removeEventListener('abort', onAbort);
        if ('result' in response) resolve(response.result);
        else if (signal.aborted) reject(signal.reason as Error);
        else reject(new PlatformError(response.error.code, response.error.message));
      });
    });
  };
  const change =
    (method: 'hibernate' | 'wake'): Platform['hibernate'] =>
    async (sessionId, change, signal) =>
      (await ask({ method, sessionId, change }, signal)) as PlatformSession;
  const list = async (signal: AbortSignal) => (await ask({ method: 'list' }, signal)) as PlatformSession[];
  return {
    name: 'local',
    capabilities: { hibernate: true, survivesAgentRestart: true },
    start: async ({ sessionId }, change, signal) =>
      (await ask({ method: 'start', sessionId, change }, signal)) as PlatformSession,
    stop: async (sessionId, change, signal) =>
      void (await ask({ method: 'stop', sessionId, change }, signal)),
    hibernate: change('hibernate'),
    wake: change('wake'),
    openStream: async () => {
      throw new PlatformError('connect_failed', 'sessions of this platform have no desktop');
    },
    list,
    inspect: async (sessionId, signal) => (await list(signal)).find((one) => one.sessionId === sessionId),
    close: async () => void socket.destroy(),
  };
}
