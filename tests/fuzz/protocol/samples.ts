import {
  ACTIONS,
  encodeFrame,
  encodeMessage,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  LIMITS,
  OBSERVED_STATES,
  RESET_CODE,
  type AgentMessage,
  type ControlMessage,
  type Frame,
  type OpenRequest,
  type ResetReason,
} from '@streamspace/protocol';
import { mutateBytes, mutateText } from '../mutate.js';
import type { Random } from '../random.js';

const attachment = (random: Random) => ({ agentEpoch: random.offset(), viewerAttach: random.offset() });
const policy = (random: Random) => ({
  role: random.pick(['control', 'view'] as const),
  clipboard: random.pick(['both', 'in', 'out', 'none'] as const),
});
/** An identifier: it has neither NUL nor half a surrogate pair. */
const idText = (random: Random): string => `x${random.text(8).replace(/\0|\p{Surrogate}/gu, '-')}`;

export const openRequest = (random: Random, sessionId = idText(random)): OpenRequest => ({
  sessionId,
  port: 'vnc',
  policy: policy(random),
  edge: idText(random),
  attachment: attachment(random),
});

/** A well-formed frame of a stream of `ids`, or of none of them. */
export function sampleFrame(random: Random, ids: readonly bigint[] = []): Frame {
  const streamId = ids.length > 0 && random.chance(0.8) ? random.pick(ids) : random.id();
  const kind = random.pick(Object.keys(FRAME_KIND) as Frame['kind'][]);
  switch (kind) {
    case 'open':
      return { kind, streamId, credit: random.offset(), request: openRequest(random) };
    case 'accept':
      return { kind, streamId, credit: random.offset() };
    case 'data': {
      const bytes = random.bytes(random.chance(0.02) ? LIMITS.dataBytes : random.upTo(64));
      return { kind, streamId, offset: Math.min(random.offset(), LIMITS.offset - bytes.length), bytes };
    }
    case 'credit':
      return { kind, streamId, consumed: random.offset(), limit: random.offset() };
    case 'ping':
    case 'pong':
      return { kind, streamId, nonce: random.offset() };
    case 'policy':
      return { kind, streamId, policy: policy(random) };
    case 'end':
      return { kind, streamId, offset: random.offset() };
    case 'reset':
      return {
        kind,
        streamId,
        code: random.pick(Object.keys(RESET_CODE) as ResetReason[]),
        reason: random.text(40),
      };
    case 'resume':
    case 'resumeAck':
      return {
        kind,
        streamId,
        received: random.offset(),
        request: { edge: idText(random), attachment: attachment(random) },
      };
  }
}

/** The bytes of a frame: well-formed, broken, too long, or noise. */
export function frameBytes(random: Random, ids: readonly bigint[] = []): Uint8Array {
  const sample = encodeFrame(sampleFrame(random, ids));
  const roll = random.next();
  if (roll < 0.2) return sample;
  if (roll < 0.9) return mutateBytes(random, sample, encodeFrame(sampleFrame(random, ids)));
  if (roll < 0.98) return Uint8Array.of(random.upTo(16), ...random.bytes(random.upTo(60)));
  const limit = random.pick([LIMITS.dataBytes, LIMITS.frameBodyBytes]);
  const long = new Uint8Array(FRAME_HEADER_BYTES + limit + random.upTo(2) - 1);
  long.set(sample.subarray(0, long.length));
  return long;
}

/** What a well-behaved agent may say; ids come from `ids`. */
export function sampleAgentMessage(random: Random, ids: readonly string[] = ['c-1']): AgentMessage {
  const commandId = random.chance(0.8) ? random.pick(ids) : idText(random);
  const sessionId = idText(random);
  const generation = random.offset();
  const state = random.pick(OBSERVED_STATES);
  switch (random.upTo(9)) {
    case 0:
      return { type: 'hello', payload: hello(random) };
    case 1:
      return {
        type: 'inventory',
        payload: {
          position: random.offset(),
          sessions: Array.from({ length: random.upTo(4) }, () => ({
            sessionId,
            generation,
            commandId,
            state,
          })),
        },
      };
    case 2:
      return {
        type: 'heartbeat',
        payload: {
          status: random.pick(['online', 'draining']),
          activeSessions: random.offset(),
          capacity: { maxSessions: random.offset(), maxMemory: random.next() * 100 },
        },
      };
    case 3:
      return { type: 'ack', payload: { commandId } };
    case 4:
      return { type: 'complete', payload: { commandId, result: { state, note: random.text() } } };
    case 5:
      return { type: 'failed', payload: { commandId, error: random.text(), code: idText(random) } };
    case 6:
      return { type: 'status', payload: { sessionId, generation, state, reason: random.text() } };
    case 7:
      return {
        type: 'session_event',
        payload: { sessionId, generation, kind: idText(random), message: random.text(), data: { state } },
      };
    case 8:
      return { type: 'pong', payload: {} };
    default:
      return { type: 'error', payload: { code: idText(random), message: random.text() } };
  }
}

function hello(random: Random): Extract<AgentMessage, { type: 'hello' }>['payload'] {
  return {
    versions: [2],
    instanceId: idText(random),
    platform: 'fuzz',
    region: idText(random),
    fencingToken: random.offset(),
    capacity: { maxSessions: random.offset(), maxCpu: random.next() * 100 },
    running: [idText(random)],
    finished: {
      completed: [{ commandId: idText(random), result: {} }],
      failed: [{ commandId: idText(random), error: random.text() }],
    },
  };
}

/** What a well-behaved control plane may say. */
export function sampleControlMessage(random: Random): ControlMessage {
  const commandId = random.pick(['c-1', 'c-2', idText(random)]);
  const reason = random.pick([random.text(), 'ж'.repeat(random.upTo(LIMITS.textChars))]);
  switch (random.upTo(8)) {
    case 0:
      return {
        type: 'welcome',
        payload: {
          version: 2,
          epoch: 1 + random.upTo(100),
          heartbeatIntervalMs: 1_000 + random.upTo(1e6),
          inventoryIntervalMs: Math.max(1_000, random.offset()),
        },
      };
    case 1:
      return {
        type: 'refused',
        payload: {
          code: idText(random),
          message: reason,
          highestFencingToken: random.offset(),
          incumbent: idText(random),
        },
      };
    case 2:
    case 3:
      return {
        type: 'command',
        payload: {
          commandId,
          action: random.pick(ACTIONS),
          sessionId: random.pick(['desk', idText(random)]),
          generation: random.upTo(3),
          timeoutMs: Math.max(1, random.offset()),
          payload: { user: 'u', template: 't', templateManifest: {} },
        },
      };
    case 4:
      return { type: 'cancel', payload: { commandId, reason } };
    case 5:
      return { type: 'result_ack', payload: { commandId } };
    case 6:
      return { type: 'ping', payload: {} };
    case 7:
      return { type: random.pick(['drain', 'shutdown']), payload: { reason } };
    default:
      return { type: 'error', payload: { code: idText(random), message: reason } };
  }
}

/** The text of a message: well-formed, broken, too long, or noise. */
export function messageText(random: Random, message: AgentMessage | ControlMessage): string {
  const text = encodeMessage(message, 0);
  const roll = random.next();
  if (roll < 0.2) return text;
  if (roll < 0.9) return mutateText(random, text);
  if (roll < 0.99) return random.text(60);
  return oversized(random, text);
}

/** Around the limit of characters, as one long string or as nothing but nesting. */
function oversized(random: Random, text: string): string {
  const length = LIMITS.controlMessageChars + random.upTo(2) - 1;
  if (random.chance(0.3)) return random.pick(['[', '{"a":', '[]']).repeat(length).slice(0, length);
  const start = `${text.slice(0, -1)},"later":"`;
  return `${start}${'x'.repeat(length - start.length - 2)}"}`;
}
