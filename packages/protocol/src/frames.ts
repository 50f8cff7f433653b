import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';
import { count, id, object, oneOf, type Infer } from './shape.js';
import { cutText } from './text.js';

/**
 * Every frame starts with the same 18 bytes, big-endian:
 *
 *   0      kind
 *   1      flags, 0 in this version; a receiver ignores bits that it does not know
 *   2..9   stream id, 64 bits, random, chosen by the opener
 *   10..17 a number whose meaning depends on the kind (offset, credit, nonce)
 *
 * What follows is the body. One WebSocket binary message is one frame.
 */
export const FRAME_HEADER_BYTES = 18;

export const FRAME_KIND = {
  open: 1,
  accept: 2,
  data: 3,
  credit: 4,
  ping: 5,
  pong: 6,
  policy: 7,
  end: 8,
  reset: 9,
  resume: 10,
  resumeAck: 11,
} as const;

const KNOWN_KINDS: ReadonlySet<number> = new Set(Object.values(FRAME_KIND));

/** What a viewer may do with a session's desktop. */
const policy = object({
  /** `control` may type and point, `view` may only watch. */
  role: oneOf('control', 'view'),
  clipboard: oneOf('both', 'in', 'out', 'none'),
});
export type StreamPolicy = Infer<typeof policy>;

/** Grows with each new connection of the agent and of the viewer; a lower one is refused. */
const attachment = object({ agentEpoch: count(), viewerAttach: count() });
export type Attachment = Infer<typeof attachment>;

const open = object({
  sessionId: id,
  /** The session's port by name; `vnc` is its desktop. */
  port: id,
  policy,
  /** Where the viewer is attached: pod and boot of a replica, or a browser channel. */
  edge: id,
  attachment,
});
/** What a stream is opened to and for whom. */
export type OpenRequest = Infer<typeof open>;

const resume = object({ edge: id, attachment });
export type ResumeRequest = Infer<typeof resume>;

/** Why a stream was reset. Numbers are on the wire and never change their meaning. */
export const RESET_CODE = {
  cancelled: 1,
  refused: 2,
  session_not_found: 3,
  connect_failed: 4,
  flow_control: 5,
  protocol_error: 6,
  limit_reached: 7,
  agent_lost: 8,
  resume_timeout: 9,
  internal: 10,
  going_away: 11,
} as const;
export type ResetReason = keyof typeof RESET_CODE;
const RESET_NAMES = new Map<number, ResetReason>(
  Object.entries(RESET_CODE).map(([name, code]) => [code, name as ResetReason]),
);

export type Frame =
  /** Ask for a stream. Idempotent by id. `credit`: how many bytes may be sent back at first. */
  | { kind: 'open'; streamId: bigint; credit: number; request: OpenRequest }
  | { kind: 'accept'; streamId: bigint; credit: number }
  /** `bytes` is a view of the message that was decoded, not a copy. */
  | { kind: 'data'; streamId: bigint; offset: number; bytes: Uint8Array }
  /** "I have consumed up to here, you may send up to there." Both only grow. */
  | { kind: 'credit'; streamId: bigint; consumed: number; limit: number }
  | { kind: 'ping' | 'pong'; streamId: bigint; nonce: number }
  | { kind: 'policy'; streamId: bigint; policy: StreamPolicy }
  /** Half-close: nothing follows the byte before `offset` in this direction. */
  | { kind: 'end'; streamId: bigint; offset: number }
  | { kind: 'reset'; streamId: bigint; code: ResetReason; reason: string }
  | { kind: 'resume' | 'resumeAck'; streamId: bigint; received: number; request: ResumeRequest };

const utf8 = new TextEncoder();
/** `ignoreBOM` keeps U+FEFF at the start of a text, which would be left out otherwise. */
const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function header(kind: number, streamId: bigint, value: number, bodyBytes: number): Uint8Array {
  const buffer = new Uint8Array(FRAME_HEADER_BYTES + bodyBytes);
  writeHeader(buffer, kind, streamId, value);
  return buffer;
}

function writeHeader(target: Uint8Array, kind: number, streamId: bigint, value: number): void {
  const view = new DataView(target.buffer, target.byteOffset, FRAME_HEADER_BYTES);
  view.setUint8(0, kind);
  view.setUint8(1, 0);
  view.setBigUint64(2, streamId);
  writeOffset(view, 10, value);
}

function writeOffset(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value >>> 0);
}

function readOffset(view: DataView, at: number): number {
  const high = view.getUint32(at);
  if (high >= 2 ** 21) throw new ProtocolError('malformed_frame', 'an offset may be at most 2^53 - 1');
  return high * 2 ** 32 + view.getUint32(at + 4);
}

function withBody(kind: number, streamId: bigint, value: number, body: Uint8Array): Uint8Array {
  const buffer = header(kind, streamId, value, body.length);
  buffer.set(body, FRAME_HEADER_BYTES);
  return buffer;
}

const withJson = (kind: number, streamId: bigint, value: number, body: unknown): Uint8Array =>
  withBody(kind, streamId, value, utf8.encode(JSON.stringify(body)));

/** A DATA frame as one buffer: header and payload joined by one copy. */
export function encodeData(streamId: bigint, offset: number, bytes: Uint8Array): Uint8Array {
  return withBody(FRAME_KIND.data, streamId, offset, bytes);
}

/**
 * A DATA frame in a buffer that is used again and again: the same bytes as those of {@link encodeData}, as a view of
 * `target`, which must have room for the header and `bytes`.
 */
export function encodeDataInto(
  target: Uint8Array,
  streamId: bigint,
  offset: number,
  bytes: Uint8Array,
): Uint8Array {
  const frame = target.subarray(0, FRAME_HEADER_BYTES + bytes.length);
  writeHeader(frame, FRAME_KIND.data, streamId, offset);
  frame.set(bytes, FRAME_HEADER_BYTES);
  return frame;
}

/** One frame as the bytes of one WebSocket binary message. */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case 'data':
      return encodeData(frame.streamId, frame.offset, frame.bytes);
    case 'open':
      return withJson(FRAME_KIND.open, frame.streamId, frame.credit, frame.request);
    case 'accept':
      return header(FRAME_KIND.accept, frame.streamId, frame.credit, 0);
    case 'credit': {
      const buffer = header(FRAME_KIND.credit, frame.streamId, frame.consumed, 8);
      writeOffset(new DataView(buffer.buffer), FRAME_HEADER_BYTES, frame.limit);
      return buffer;
    }
    case 'ping':
    case 'pong':
      return header(FRAME_KIND[frame.kind], frame.streamId, frame.nonce, 0);
    case 'policy':
      return withJson(FRAME_KIND.policy, frame.streamId, 0, frame.policy);
    case 'end':
      return header(FRAME_KIND.end, frame.streamId, frame.offset, 0);
    case 'reset':
      return withBody(
        FRAME_KIND.reset,
        frame.streamId,
        RESET_CODE[frame.code],
        utf8.encode(cutText(frame.reason, LIMITS.textChars)),
      );
    case 'resume':
    case 'resumeAck':
      return withJson(FRAME_KIND[frame.kind], frame.streamId, frame.received, frame.request);
  }
}

function readText(bytes: Uint8Array): string {
  try {
    return fromUtf8.decode(bytes);
  } catch (cause) {
    throw new ProtocolError('malformed_frame', 'the body of a frame must be UTF-8', { cause });
  }
}

function readJson<T>(bytes: Uint8Array, shape: (value: unknown, path: string) => T, path: string): T {
  try {
    return shape(JSON.parse(readText(bytes)), path);
  } catch (cause) {
    if (cause instanceof ProtocolError && cause.code === 'malformed_frame') throw cause;
    const detail = cause instanceof ProtocolError ? cause.message : `${path} must be JSON`;
    throw new ProtocolError('malformed_frame', detail, { cause });
  }
}

/**
 * Reads one frame. DATA payloads are views of `message`; copy what is kept for long.
 *
 * @throws ProtocolError `malformed_frame`, `frame_too_large`, or `unknown_frame` (ignore and count that one)
 */
export function decodeFrame(message: Uint8Array): Frame {
  if (message.length < FRAME_HEADER_BYTES)
    throw new ProtocolError(
      'malformed_frame',
      `a frame has at least ${FRAME_HEADER_BYTES} bytes, this one has ${message.length}`,
    );
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const kind = message[0]!;
  // First of all: what else a later version's frame holds, and how much of it, is not for this version to judge.
  if (!KNOWN_KINDS.has(kind)) throw new ProtocolError('unknown_frame', `no frame kind ${kind}`);
  const streamId = view.getBigUint64(2);
  const value = readOffset(view, 10);
  const body = message.subarray(FRAME_HEADER_BYTES);
  const allowed = kind === FRAME_KIND.data ? LIMITS.dataBytes : LIMITS.frameBodyBytes;
  if (body.length > allowed)
    throw new ProtocolError(
      'frame_too_large',
      `a body of this kind has at most ${allowed} bytes, this one has ${body.length}`,
    );
  switch (kind) {
    case FRAME_KIND.data:
      if (value + body.length > LIMITS.offset)
        throw new ProtocolError('malformed_frame', 'DATA may not pass the offset 2^53 - 1');
      return { kind: 'data', streamId, offset: value, bytes: body };
    case FRAME_KIND.open:
      return { kind: 'open', streamId, credit: value, request: readJson(body, open, 'open') };
    case FRAME_KIND.accept:
      return { kind: 'accept', streamId, credit: value };
    case FRAME_KIND.credit:
      if (body.length < 8) throw new ProtocolError('malformed_frame', 'CREDIT has a body of 8 bytes');
      return { kind: 'credit', streamId, consumed: value, limit: readOffset(view, FRAME_HEADER_BYTES) };
    case FRAME_KIND.ping:
      return { kind: 'ping', streamId, nonce: value };
    case FRAME_KIND.pong:
      return { kind: 'pong', streamId, nonce: value };
    case FRAME_KIND.policy:
      return { kind: 'policy', streamId, policy: readJson(body, policy, 'policy') };
    case FRAME_KIND.end:
      return { kind: 'end', streamId, offset: value };
    case FRAME_KIND.reset:
      return { kind: 'reset', streamId, code: RESET_NAMES.get(value) ?? 'internal', reason: readText(body) };
    case FRAME_KIND.resume:
      return { kind: 'resume', streamId, received: value, request: readJson(body, resume, 'resume') };
    case FRAME_KIND.resumeAck:
      return { kind: 'resumeAck', streamId, received: value, request: readJson(body, resume, 'resumeAck') };
    default:
      throw new ProtocolError('unknown_frame', `no frame kind ${kind}`);
  }
}
