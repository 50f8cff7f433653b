import {
  ClientMessageParser,
  Encoding,
  NATIVE_PIXEL_FORMAT,
  ServerMessageParser,
  writeBell,
  writeEndOfContinuousUpdates,
  writeSecurityResult,
  writeServerCutText,
  writeServerFence,
  writeServerInit,
  writeVersion,
} from '@streamspace/rfb';
import { boundedBy } from '../memory.js';
import { mutateBytes } from '../mutate.js';
import type { Random } from '../random.js';
import { must, type Target } from '../target.js';
import { unknownMessage, VIEWER_MESSAGES, viewerMessage } from '../rfb/viewer-traffic.js';
import { cutUp, u16 } from '../rfb/wire.js';

/** Memory for a whole rectangle may be taken once its header is read: so little that more than that shows. */
const LIMITS = { rectanglePixels: 128 * 1024 };
const VIEWER_LIMITS = { cutTextBytes: 200, encodings: 40, screens: 16, fenceBytes: 64 };

interface Parser {
  push(bytes: Uint8Array): void;
  next(): unknown;
}

const rect = (random: Random) => ({
  x: random.upTo(9),
  y: random.upTo(9),
  width: random.upTo(4),
  height: random.upTo(4),
});

function serverMessage(random: Random): Uint8Array {
  switch (random.upTo(6)) {
    case 0:
      return writeBell();
    case 1:
      return writeServerCutText(random.text(40));
    case 2:
      return writeServerFence(random.upTo(2 ** 32 - 1), random.bytes(random.upTo(64)));
    case 3:
      return writeEndOfContinuousUpdates();
    case 4: {
      const count = random.upTo(5);
      return Uint8Array.of(1, 0, ...u16(random.upTo(0xffff)), ...u16(count), ...random.bytes(6 * count));
    }
    default:
      return framebufferUpdate(random);
  }
}

function framebufferUpdate(random: Random): Uint8Array {
  const rectangles = Array.from({ length: random.upTo(3) }, () => {
    const { x, y, width, height } = rect(random);
    const encoding = random.pick(Object.values(Encoding));
    const head = new DataView(new ArrayBuffer(12));
    [x, y, width, height].forEach((value, index) => head.setUint16(index * 2, value));
    head.setInt32(8, encoding);
    return Buffer.concat([new Uint8Array(head.buffer), random.bytes(width * height * 4)]);
  });
  return Buffer.concat([Uint8Array.of(0, 0, 0, rectangles.length), ...rectangles]);
}

const many = (random: Random, make: (random: Random) => Uint8Array): Uint8Array[] =>
  Array.from({ length: 1 + random.upTo(6) }, () => make(random));

/** The parser knows no GII. */
const KNOWN_MESSAGES = VIEWER_MESSAGES.filter((kind) => kind !== 'gii');

function fromClient(random: Random): Uint8Array {
  const version = random.pick([3, 7, 8, 8] as const);
  const choice = version === 3 ? [1] : [1, 1];
  const message = (): Uint8Array =>
    random.chance(0.02)
      ? unknownMessage(random)
      : viewerMessage(random, random.pick(KNOWN_MESSAGES), VIEWER_LIMITS);
  return Buffer.concat([writeVersion(version), Uint8Array.from(choice), ...many(random, message)]);
}

const fromServer = (random: Random): Uint8Array =>
  Buffer.concat([
    writeVersion(8),
    Uint8Array.of(1, 1),
    writeSecurityResult(),
    writeServerInit(64, 48, NATIVE_PIXEL_FORMAT, 'desk'),
    ...many(random, serverMessage),
  ]);

/** Everything that the parser made of the parts, its error's code last. */
function parse(parser: Parser, parts: readonly Uint8Array[]): string {
  const seen: unknown[] = [];
  try {
    for (const part of parts) {
      parser.push(part);
      for (let message = parser.next(); message !== undefined; message = parser.next()) seen.push(message);
    }
  } catch (error) {
    must(error instanceof Error && error.name === 'RfbError', `threw ${String(error)}`);
    seen.push((error as { code?: unknown }).code);
  }
  return JSON.stringify(seen);
}

/** Parses RFB of either direction: whatever it makes of the bytes, it makes at every split. */
export const rfb: Target = {
  name: 'rfb',
  casesPerRound: 1,
  round(random, record) {
    const isClient = random.chance(0.5);
    const build = isClient ? fromClient : fromServer;
    const valid = build(random);
    const input = random.chance(0.1) ? valid : mutateBytes(random, valid, build(random));
    record(input);
    const parser = (): Parser =>
      isClient ? new ClientMessageParser(LIMITS) : new ServerMessageParser(LIMITS);
    const whole = boundedBy(input.length, () => parse(parser(), [input]));
    const parts = cutUp(random, input, 'random');
    must(parse(parser(), parts) === whole, `split into ${parts.length} parts it reads as something else`);
  },
  async [Symbol.asyncDispose]() {},
};
