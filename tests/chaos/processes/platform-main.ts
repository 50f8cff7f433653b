// The place where sessions are: a process of its own, so that it outlives every agent. What it does is on disk before
// anybody hears of it.
import { fsyncSync, openSync, writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError, type PlatformSession } from '@streamspace/agent-core';
import { Random } from '../../fuzz/random.js';
import type { EventOf, Timed } from '../history.js';
import { lines, type ChangeMethod, type PlatformRequest, type PlatformResponse } from './platform-wire.js';

const socketPath = process.env['CHAOS_SOCKET']!;
const log = openSync(process.env['CHAOS_LOG']!, 'a');
const random = new Random(Number(process.env['CHAOS_SEED']));
/** Longest time that a call takes before its effect, and after it, in ms. */
const SLOWEST_MS = 150;

const sessions = new Map<string, PlatformSession>();
/** The end of the last call of each session: for one session they follow each other. */
const tails = new Map<string, Promise<unknown>>();

type ChangeRequest = PlatformRequest & { method: ChangeMethod };

function write({ method, sessionId, change }: ChangeRequest, changed: boolean): void {
  const action = `${method}_session` as const;
  const event: EventOf<'effect'> = { kind: 'effect', sessionId, action, ...change, changed };
  writeSync(log, `${JSON.stringify({ at: Date.now(), event } satisfies Timed<EventOf<'effect'>>)}\n`);
  fsyncSync(log);
}

function carryOut(request: ChangeRequest): PlatformSession | null {
  const { sessionId, change, method } = request;
  const held = sessions.get(sessionId);
  if (held && change.generation < held.generation)
    throw new PlatformError(
      'stale_generation',
      `held at generation ${held.generation}, not ${change.generation}`,
    );
  if (method === 'stop') {
    write(request, held !== undefined);
    sessions.delete(sessionId);
    return null;
  }
  if (method !== 'start' && held?.generation !== change.generation)
    throw new PlatformError(
      'session_not_found',
      `there is no session ${sessionId} of generation ${change.generation}`,
    );
  const state = method === 'hibernate' ? 'hibernated' : 'running';
  const isSo = held?.generation === change.generation && held.state === state;
  write(request, !isSo);
  if (isSo) return held;
  const session: PlatformSession = { sessionId, ...change, state };
  sessions.set(sessionId, session);
  return session;
}

async function change(request: ChangeRequest, isCancelled: () => boolean): Promise<unknown> {
  const before = tails.get(request.sessionId);
  const call = (async () => {
    await before;
    await sleep(random.upTo(SLOWEST_MS));
    if (isCancelled()) throw new PlatformError('cancelled', 'nobody waits for it any more');
    const result = carryOut(request);
    await sleep(random.upTo(SLOWEST_MS));
    return result;
  })();
  tails.set(
    request.sessionId,
    call.catch(() => undefined),
  );
  return call;
}

function serve(socket: Socket): void {
  const cancelled = new Set<number>();
  const answer = (response: PlatformResponse): void => {
    if (socket.writable) socket.write(`${JSON.stringify(response)}\n`);
  };
  const handle = async (request: PlatformRequest): Promise<void> => {
    if (request.method === 'cancel') return void cancelled.add(request.of);
    try {
      const result =
        request.method === 'list'
          ? [...sessions.values()]
          : await change(request, () => cancelled.has(request.id));
      answer({ id: request.id, result });
    } catch (error) {
      const { code, message } = error as PlatformError;
      answer({ id: request.id, error: { code, message } });
    }
  };
  socket.on('error', () => socket.destroy());
  socket.setEncoding('utf8').on(
    'data',
    lines((line) => void handle(JSON.parse(line) as PlatformRequest)),
  );
}

createServer(serve).listen(socketPath, () => process.stdout.write('listening\n'));
