import { serveRfb } from '@streamspace/rfb';
import { zlibDeflater } from '@streamspace/rfb/node';
import { FakeDesktop } from '../rfb/fake-desktop.js';
import { mutateBytes } from '../mutate.js';
import type { Random } from '../random.js';
import { scripted } from '../rfb/slow-pipe.js';
import { WAIT_MS } from '../peers/sockets.js';
import { must, within, type Target } from '../target.js';
import { unknownMessage, viewerMessage, type ViewerMessage } from '../rfb/viewer-traffic.js';
import { ascii, cutUp, joined } from '../rfb/wire.js';

const SIDE = 100;
const LIMITS = { cutTextBytes: 96, encodings: 24, screens: 3, fenceBytes: 20, desktopSide: 400 };
const MOST_BYTES = 16 * 1024 * 1024;
/** What serveRfb reads: it knows no GII, and counts an extended text as no text. */
const READ = [
  'setPixelFormat',
  'setEncodings',
  'updateRequest',
  'updateRequest',
  'key',
  'pointer',
  'cutText',
  'extendedCutText',
  'continuousUpdates',
  'fence',
  'xvp',
  'desktopSize',
  'qemuKey',
] as const satisfies readonly ViewerMessage[];

/** What the desktop has to be told of these messages, up to where one of them ends the stream. */
class Expected {
  readonly events: string[] = [];
  failure: string | undefined;

  constructor(
    messages: readonly Uint8Array[],
    private width: number,
    private height: number,
  ) {
    for (const message of messages) {
      this.#see(new DataView(message.buffer, message.byteOffset, message.length), message);
      if (this.failure !== undefined) return;
    }
  }

  #see(view: DataView, message: Uint8Array): void {
    switch (message[0]) {
      case 2:
        if (view.getUint16(2) > LIMITS.encodings) this.failure = 'limit_exceeded';
        return;
      case 4:
        this.events.push(`key ${view.getUint32(4)} ${message[1] !== 0}`);
        return;
      case 5: {
        const x = Math.min(view.getUint16(2), this.width - 1);
        const y = Math.min(view.getUint16(4), this.height - 1);
        this.events.push(`pointer ${x} ${y} ${message[1]}`);
        return;
      }
      case 6: {
        const length = view.getInt32(4);
        if (Math.abs(length) > LIMITS.cutTextBytes) this.failure = 'limit_exceeded';
        else if (length >= 0) this.events.push(`text ${Buffer.from(message.subarray(8)).toString('hex')}`);
        return;
      }
      case 248:
        if (message[8]! > LIMITS.fenceBytes) this.failure = 'limit_exceeded';
        return;
      case 251: {
        const [width, height] = [view.getUint16(2), view.getUint16(4)];
        if (Math.max(width, height) > LIMITS.desktopSide || message[6]! > LIMITS.screens) {
          this.failure = 'limit_exceeded';
          return;
        }
        this.events.push(`size ${width} ${height}`);
        if (Math.max(width, height) <= SIDE) [this.width, this.height] = [width, height];
        return;
      }
      case 255:
        if (message[1] === 0) this.events.push(`key ${view.getUint32(4)} ${view.getUint16(2) !== 0}`);
        else this.failure = 'unknown_message';
        return;
      case 0:
      case 3:
      case 150:
      case 250:
        return;
      default:
        this.failure = 'unknown_message';
    }
  }
}

function messagesOf(random: Random): Uint8Array[] {
  const messages = Array.from({ length: random.upTo(25) }, () =>
    viewerMessage(random, random.pick(READ), LIMITS),
  );
  if (random.chance(0.1)) messages.push(unknownMessage(random));
  return messages;
}

/** A server whose viewer says anything: the desktop is told what was said, in order, and never more than that. */
export const serve: Target = {
  name: 'serve',
  casesPerRound: 1,
  async round(random, record) {
    const version = random.pick([3, 7, 8, 8]);
    const greeting = [...ascii(`RFB 003.00${version}\n`), ...(version === 3 ? [] : [1]), random.upTo(1)];
    const messages = messagesOf(random);
    const whole = joined([Uint8Array.from(greeting), ...messages]);
    const isMutated = random.chance(0.5);
    const stream = isMutated ? mutateBytes(random, whole, whole) : whole;
    record(stream);

    const desktop = new FakeDesktop(random.fork(), false, SIDE);
    const { width, height } = desktop.framebuffer;
    const expected = new Expected(messages, width, height);
    const cut = random.pick(['whole', 'random', 'bytes'] as const);
    const channel = scripted(cutUp(random, stream, cut), random.fork());
    const stop = new AbortController();
    const before = process.memoryUsage();
    const loud: string[] = [];
    const serving = serveRfb(channel, desktop, {
      limits: LIMITS,
      signal: stop.signal,
      onError: (error, where) => void loud.push(`${where}: ${String(error)}`),
      ...(random.chance(0.5) && { deflater: () => zlibDeflater() }),
    });
    const error = await within(WAIT_MS, 'the server to end', serving);
    const { heapUsed, external } = process.memoryUsage();
    const taken = heapUsed + external - before.heapUsed - before.external;
    must(taken <= MOST_BYTES, `${taken} bytes were taken for a stream of ${stream.length}`);
    must(error === undefined || error.name === 'RfbError', `ended with ${error?.stack}`);
    must(loud.length === 0, loud.join('; '));
    must(desktop.detached === (desktop.view ? 1 : 0), `detached ${desktop.detached} times`);
    if (isMutated) return;
    const code = (error as { code?: string } | undefined)?.code;
    // More answers than the viewer has read are a reason of their own.
    const isFlood = code === 'limit_exceeded' && /answers/.test(error?.message ?? '');
    must(isFlood || code === expected.failure, `ended with ${String(error)}, expected ${expected.failure}`);
    const seen = desktop.events.join(', ');
    const said = expected.events.join(', ');
    must(isFlood ? said.startsWith(seen) : seen === said, `the desktop saw ${seen}, expected ${said}`);
  },
  async [Symbol.asyncDispose]() {},
};
