import {
  ClientMessageParser,
  Encoding,
  NATIVE_PIXEL_FORMAT,
  ServerMessageParser,
  writeBell,
  writeClientCutText,
  writeFramebufferUpdateRequest,
  writeKeyEvent,
  writePointerEvent,
  writeSecurityResult,
  writeServerCutText,
  writeServerInit,
  writeSetDesktopSize,
  writeSetEncodings,
  writeSetPixelFormat,
  writeVersion,
} from '@streamspace/rfb';
import { boundedBy } from './memory.js';
import { mutateBytes } from './mutate.js';
import type { Random } from './random.js';
import { must, type Target } from './target.js';

/** Memory for a whole rectangle may be taken once its header is read: so little that more than that shows. */
const LIMITS = { rectanglePixels: 128 * 1024 };

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

function clientMessage(random: Random): Uint8Array {
  switch (random.upTo(6)) {
    case 0:
      return writeSetPixelFormat(NATIVE_PIXEL_FORMAT);
    case 1:
      return writeSetEncodings(Object.values(Encoding));
    case 2:
      return writeFramebufferUpdateRequest(random.chance(0.5), rect(random));
    case 3:
      return writeKeyEvent(random.chance(0.5), random.upTo(0xffff));
    case 4:
      return writePointerEvent(random.upTo(255), random.upTo(0xffff), random.upTo(0xffff));
    case 5:
      return writeClientCutText(random.text(40));
    default:
      return writeSetDesktopSize(random.upTo(2_000), random.upTo(2_000), [
        { id: 1, ...rect(random), flags: 0 },
      ]);
  }
}

function serverMessage(random: Random): Uint8Array {
  switch (random.upTo(3)) {
    case 0:
      return writeBell();
    case 1:
      return writeServerCutText(random.text(40));
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

const fromClient = (random: Random): Uint8Array =>
  Buffer.concat([writeVersion(8), Uint8Array.of(1, 1), ...many(random, clientMessage)]);

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

function split(random: Random, bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random.upTo(random.pick([1, 8, 64]));
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
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
    const parts = split(random, input);
    must(parse(parser(), parts) === whole, `split into ${parts.length} parts it reads as something else`);
  },
  async [Symbol.asyncDispose]() {},
};
