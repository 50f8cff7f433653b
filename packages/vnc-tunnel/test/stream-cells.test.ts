import {
  decodeFrame,
  encodeData,
  encodeFrame,
  FRAME_HEADER_BYTES,
  LIMITS,
  type Frame,
} from '@streamspace/protocol';
import { createTunnel, TunnelError, type ByteChannel, type Tunnel } from '@streamspace/vnc-tunnel';
import { channelPair, linkPair, openRequest } from '@streamspace/vnc-tunnel/testing';
import { afterEach, expect, it, vi } from 'vitest';
import {
  STREAM_MACHINE,
  type StreamEvent,
  type StreamOutcome,
  type StreamState,
} from '../src/stream-machine.js';

const STATES = Object.keys(STREAM_MACHINE.states) as StreamState[];
const EVENTS = Object.keys(STREAM_MACHINE.events) as StreamEvent[];
/** Of the far end. */
const CREDIT = LIMITS.initialWindowBytes;
/** Of the tunnel: less than one frame can carry. */
const WINDOW = 16 * 1024;
const OPEN_TIMEOUT_MS = 10_000;
const BYTE = Uint8Array.of(1);

/** How a promise stands. */
type Standing<T> = { is: 'pending' } | { is: 'resolved'; value: T } | { is: 'rejected' };

function watch<T>(promise: Promise<T>): { standing: Standing<T> } {
  const watched: { standing: Standing<T> } = { standing: { is: 'pending' } };
  promise.then(
    (value) => (watched.standing = { is: 'resolved', value }),
    () => (watched.standing = { is: 'rejected' }),
  );
  return watched;
}

/** Frames are delivered in a later turn of the event loop; this is after all that follow from each other. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A tunnel with one stream, and a far end that keeps to no rules. */
class Stage {
  readonly #links = linkPair();
  readonly tunnel: Tunnel;
  /** What the tunnel has sent. */
  readonly sent: Frame[] = [];
  /** Of the owner. */
  stream: ByteChannel | undefined;
  #opening: { standing: Standing<ByteChannel> } | undefined;
  readonly #giveUp = new AbortController();
  #dial: { done: () => void; fail: () => void } | undefined;
  #id = 7n;
  /** What the far end has sent of the stream. */
  #offset = 0;
  /** The owner's calls that the event made. */
  readonly calls: { standing: Standing<unknown> }[] = [];
  #reading: { standing: Standing<Uint8Array | null> } | undefined;

  constructor() {
    this.#links.b.listen({
      onFrame: (bytes) => this.sent.push(decodeFrame(bytes.slice())),
      onDrain: () => undefined,
      onClose: () => undefined,
    });
    this.tunnel = createTunnel({
      link: this.#links.a,
      limits: { openTimeoutMs: OPEN_TIMEOUT_MS, initialWindowBytes: WINDOW },
      onOpen: () =>
        new Promise((resolve, reject) => {
          this.#dial = {
            done: () => resolve(channelPair()[0]),
            fail: () => reject(new TunnelError('connect_failed', 'nothing listens there')),
          };
        }),
    });
  }

  #say(frame: Frame): void {
    this.#links.b.send(encodeFrame(frame));
  }

  #data(offset: number, bytes: Uint8Array): void {
    this.#links.b.send(encodeData(this.#id, offset, bytes));
  }

  #call(promise: Promise<unknown>): void {
    this.calls.push(watch(promise));
  }

  async #open(): Promise<void> {
    this.#opening = watch(this.tunnel.open(openRequest(), { signal: this.#giveUp.signal }));
    await settled();
    this.#id = this.sent[0]!.kind === 'open' ? this.sent[0]!.streamId : 0n;
  }

  async bring(state: StreamState): Promise<void> {
    if (state === 'dialing') return this.fire('open_again');
    await this.#open();
    if (state === 'opening') return;
    await this.fire('accept');
    if (state === 'ended_here') await this.fire('end_called');
    if (state === 'ended_there') await this.fire('end');
    if (state === 'ended_there_unread' || state === 'unread') await this.fire('end_unread');
    if (state === 'unread') await this.fire('end_called');
    if (state === 'closed') await this.fire('abort');
  }

  readonly #fires: Record<StreamEvent, () => void> = {
    open_again: () => this.#say({ kind: 'open', streamId: this.#id, credit: CREDIT, request: openRequest() }),
    accept: () => this.#say({ kind: 'accept', streamId: this.#id, credit: CREDIT }),
    data: () => {
      this.#data(this.#offset, BYTE);
      this.#offset += 1;
    },
    data_misplaced: () => this.#data(this.#offset + 5, BYTE),
    data_beyond: () => this.#data(this.#offset, new Uint8Array(WINDOW + 1)),
    end: () => this.#say({ kind: 'end', streamId: this.#id, offset: this.#offset }),
    end_unread: () => {
      this.#fires.data();
      this.#fires.end();
    },
    end_misplaced: () => this.#say({ kind: 'end', streamId: this.#id, offset: this.#offset + 5 }),
    credit: () => this.#say({ kind: 'credit', streamId: this.#id, consumed: 0, limit: CREDIT }),
    credit_beyond: () => this.#say({ kind: 'credit', streamId: this.#id, consumed: 1, limit: CREDIT }),
    reset: () => this.#say({ kind: 'reset', streamId: this.#id, code: 'agent_lost', reason: 'gone' }),
    pong: () => this.#say({ kind: 'pong', streamId: this.#id, nonce: 99 }),
    policy: () => this.#say({ kind: 'policy', streamId: this.#id, policy: openRequest().policy }),
    malformed: () => {
      const credit = encodeFrame({ kind: 'credit', streamId: this.#id, consumed: 0, limit: CREDIT });
      this.#links.b.send(credit.subarray(0, FRAME_HEADER_BYTES));
    },
    dial_done: () => this.#dial?.done(),
    dial_failed: () => this.#dial?.fail(),
    write: () => this.stream && this.#call(this.stream.write(BYTE)),
    end_called: () => this.stream && this.#call(this.stream.end()),
    read: () => {
      if (!this.stream) return;
      this.#reading = watch(this.stream.read());
      this.calls.push(this.#reading);
    },
    abort: () => {
      this.#giveUp.abort(new TunnelError('cancelled', 'no longer wanted'));
      this.stream?.abort();
    },
    timeout: () => vi.advanceTimersByTime(OPEN_TIMEOUT_MS),
    tunnel_close: () => void this.tunnel.close(),
    link_lost: () => this.#links.cut(),
  };

  async fire(event: StreamEvent): Promise<void> {
    this.#fires[event]();
    await settled();
    if (this.#opening?.standing.is === 'resolved') this.stream = this.#opening.standing.value;
  }

  /** The state, found out by using the stream: for the end of a cell. */
  async state(): Promise<StreamState> {
    const { streams } = this.tunnel;
    if (streams === 0) return 'closed';
    if (this.#opening?.standing.is === 'pending') return 'opening';
    const isOver = this.stream && (await isSettled(this.stream.closed));
    if (!this.stream || isOver) return this.sent.some(({ kind }) => kind === 'accept') ? 'open' : 'dialing';
    const write = watch(this.stream.write(BYTE));
    const isUnread = this.tunnel.stats().unreadBytes > 0;
    if (this.#reading?.standing.is !== 'pending') this.#reading = watch(this.stream.read());
    await settled();
    const endedHere = write.standing.is === 'rejected';
    if (endedHere) return isUnread && this.tunnel.streams === 0 ? 'unread' : 'ended_here';
    if (isUnread) {
      this.#reading = watch(this.stream.read());
      await settled();
    }
    const isOverThere = this.#reading.standing.is === 'resolved' && this.#reading.standing.value === null;
    if (!isOverThere) return 'open';
    return isUnread ? 'ended_there_unread' : 'ended_there';
  }

  async release(): Promise<void> {
    this.#dial?.fail();
    await this.tunnel.close();
  }
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const watched = watch(promise);
  await settled();
  return watched.standing.is !== 'pending';
}

const SENT: Readonly<Partial<Record<Frame['kind'], string>>> = {
  accept: 'accepts',
  data: 'sends',
  end: 'ends',
  credit: 'credits',
};

afterEach(() => vi.useRealTimers());

async function drive(state: StreamState, event: StreamEvent): Promise<string[]> {
  const stage = new Stage();
  await stage.bring(state);
  const before = { sent: stage.sent.length, ignored: stage.tunnel.ignoredFrames, calls: stage.calls.length };
  await stage.fire(event);
  const frames = stage.sent.slice(before.sent);
  const does = [
    ...frames.flatMap((frame) => (frame.kind === 'reset' ? `reset ${frame.code}` : (SENT[frame.kind] ?? []))),
    ...(stage.tunnel.ignoredFrames > before.ignored ? ['ignored'] : []),
    ...(stage.calls.slice(before.calls).some(({ standing }) => standing.is === 'rejected')
      ? ['rejected']
      : []),
  ];
  const seen = [await stage.state(), ...does.sort()].join(' ');
  const outcome: StreamOutcome = STREAM_MACHINE.table[state][event];
  const told = [...(outcome.reset ? [`reset ${outcome.reset}`] : []), ...(outcome.does ?? [])];
  const expected = [outcome.to, ...told.sort()].join(' ');
  await stage.release();
  return seen === expected ? [] : [`${event} on one that is ${state}: ${seen}, expected ${expected}`];
}

it.each(STATES)('a stream that is %s does what the table of stream-machine.ts says', async (state) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const deviations: string[] = [];
  for (const event of EVENTS) deviations.push(...(await drive(state, event)));
  expect(deviations.join('\n')).toBe('');
});
