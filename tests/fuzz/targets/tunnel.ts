import { setImmediate as turn } from 'node:timers/promises';
import { CLOSE } from '@streamspace/protocol';
import { createTunnel, type ByteChannel, type Tunnel } from '@streamspace/vnc-tunnel';
import { channelPair, linkPair, openRequest } from '@streamspace/vnc-tunnel/testing';
import { echo, expectEcho } from '../peers/echo.js';
import { Middle, watchCloses } from '../peers/middle.js';
import type { Random } from '../random.js';
import { must, within, type Target } from '../target.js';

const INJECTIONS = 48;
const VICTIMS = 3;
const STREAMS = 24;
/** What the spared stream echoes during the attack, in bytes: more than one quantum. */
const BUSY_BYTES = 40_000;
const CLOSE_TIMEOUT_MS = 10_000;

/** What streams of the far side lead to: most echo, the ones that the attacker invents also fail or hang. */
function dial(sessionId: string, signal: AbortSignal): Promise<ByteChannel> {
  switch (sessionId === 'desk' ? 3 : sessionId.length % 4) {
    case 0:
      return Promise.reject(Object.assign(new Error('nobody is there'), { code: 'session_not_found' }));
    case 1:
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
      );
    default: {
      const [mine, theirs] = channelPair();
      void echo(theirs);
      return Promise.resolve(mine);
    }
  }
}

/** A stream that suffers: it writes and reads until it is over. Resolves with how it ended. */
async function suffer(tunnel: Tunnel, random: Random): Promise<unknown> {
  try {
    const stream = await tunnel.open(openRequest(), { timeoutMs: 60_000 });
    const bytes = random.bytes(40);
    const reading = echo(stream);
    for (let i = 0; i < 20; i++) await stream.write(bytes);
    await stream.end();
    await reading;
    return await stream.closed;
  } catch (error) {
    return error;
  }
}

const isUsual = (error: unknown): boolean =>
  error === undefined || (error instanceof Error && error.name === 'TunnelError');

/** The ids of streams come from here, so that a seed decides them too. */
function seedIds(random: Random): void {
  Object.defineProperty(crypto, 'getRandomValues', {
    configurable: true,
    value: (target: ArrayBufferView): ArrayBufferView => {
      new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(
        random.bytes(target.byteLength),
      );
      return target;
    },
  });
}

/**
 * Two tunnels and a man in the middle. Whatever he does to other streams, the one that he spares goes on, unless the
 * link was closed for a frame without a header.
 */
export const tunnel: Target = {
  name: 'tunnel',
  casesPerRound: INJECTIONS,
  async round(random, record) {
    seedIds(random);
    const nearPair = linkPair();
    const farPair = linkPair();
    const middle = new Middle(nearPair, farPair, random, record);
    const closes: number[] = [];
    const wrong: string[] = [];
    const onError = (error: unknown, where: string): void => {
      if (error instanceof Error && error.name === 'ProtocolError') return;
      wrong.push(`onError at ${where}: ${String(error)}`);
    };
    const onClose = (code: number): void => void closes.push(code);
    // Its own tests show that too many malformed frames end the link; here the spared stream is to go on.
    const limits = { streams: STREAMS, malformedFrames: Number.MAX_SAFE_INTEGER };
    const near = createTunnel({ link: watchCloses(nearPair.a, onClose), onError, limits });
    const far = createTunnel({
      link: watchCloses(farPair.b, onClose),
      onError,
      limits,
      onOpen: ({ sessionId }, signal) => dial(sessionId, signal),
    });

    const spared = await near.open(openRequest());
    middle.attack();
    const busy = expectEcho(spared, random.bytes(BUSY_BYTES));
    busy.catch(() => {});
    const victims = Array.from({ length: VICTIMS }, () => suffer(near, random));
    for (let injected = 0; injected < INJECTIONS;) {
      if (middle.inject()) injected += 1;
      if (random.chance(0.5)) await turn();
    }
    middle.calm();

    let outcome: unknown;
    try {
      await busy;
      await expectEcho(spared, random.bytes(300));
    } catch (error) {
      outcome = error;
    }
    if (middle.deliveredShort) {
      must(closes.length > 0, 'a frame without a header did not close the link');
      must(isUsual(outcome), `the spared stream ended with ${String(outcome)}`);
    } else {
      must(closes.length === 0, `the link was closed with ${closes.join(', ')} for no reason`);
      must(outcome === undefined, `the spared stream: ${String(outcome)}`);
    }
    must(
      closes.every((code) => code === CLOSE.protocolError),
      `closed with ${closes.join(', ')}`,
    );
    must(
      near.streams <= STREAMS && far.streams <= STREAMS,
      `${near.streams} and ${far.streams} streams are held`,
    );

    await within(CLOSE_TIMEOUT_MS, 'both tunnels to close', Promise.all([near.close(), far.close()]));
    const ends = await within(CLOSE_TIMEOUT_MS, 'the victims to end', Promise.all(victims));
    for (const end of ends) must(isUsual(end), `a victim ended with ${String(end)}`);
    must(near.streams + far.streams === 0, 'streams are left after close');
    must(wrong.length === 0, wrong.join('; '));
  },
  async [Symbol.asyncDispose]() {
    Reflect.deleteProperty(crypto, 'getRandomValues');
  },
};
