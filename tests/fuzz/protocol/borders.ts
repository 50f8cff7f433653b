import {
  encodeFrame,
  encodeMessage,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  type AgentMessage,
  type ControlMessage,
  type Frame,
} from '@streamspace/protocol';
import type { Random } from '../random.js';
import { openRequest, sampleFrame } from './samples.js';

/** As docs/protocol.md gives them: a limit of the package that is another one is found, too. */
const MOST = { messageChars: 2_097_152, eventChars: 65_536, dataBytes: 65_510, bodyBytes: 16_384 };

/** Something at a limit, or one beyond it. */
export interface Border<T> {
  readonly input: T;
  readonly isAllowed: boolean;
  readonly what: string;
}

/** A value at a limit and one beyond it, for the fields that have it. */
interface Edge {
  readonly fields: readonly string[];
  readonly allowed: readonly unknown[];
  readonly refused: readonly unknown[];
}

const list = (length: number, entry: unknown): unknown[] => Array.from({ length }, () => entry);

/** Objects and lists in turn, so many levels of them, an object outside. */
function nested(levels: number): unknown {
  let value: unknown = {};
  for (let level = 1; level < levels; level++) value = (levels - level) % 2 === 1 ? { in: value } : [value];
  return typeof value === 'object' && Array.isArray(value) ? { in: value[0] as unknown } : value;
}

const IDS = ['sessionId', 'commandId', 'instanceId', 'platform', 'kind', 'code', 'incumbent'];
const LISTS = ['versions', 'running', 'completed', 'failed', 'sessions'];
/** Fields of any JSON: what is inside has no limit but that of all. */
const ANY_JSON = ['result', 'data', 'payload'];
const EDGES: readonly Edge[] = [
  {
    fields: IDS,
    allowed: ['x', 'x'.repeat(255)],
    refused: ['', 'x'.repeat(256), 7, 'x\0', '\ud83d'],
  },
  {
    fields: ['error', 'message', 'reason'],
    allowed: ['', 'x'.repeat(4_096), '\0\ud83d'],
    refused: ['x'.repeat(4_097), 'ж'.repeat(4_097), {}],
  },
  { fields: ['region'], allowed: ['x'.repeat(100)], refused: ['x'.repeat(101), '\0'] },
  {
    fields: [
      'position',
      'generation',
      'activeSessions',
      'maxSessions',
      'fencingToken',
      'highestFencingToken',
    ],
    allowed: [0, 2 ** 53 - 1],
    refused: [-1, 0.5, 2 ** 53, 2 ** 54, '1'],
  },
  {
    fields: ['version', 'epoch', 'heartbeatIntervalMs', 'inventoryIntervalMs', 'timeoutMs'],
    allowed: [1, 2 ** 53 - 1],
    refused: [0, -1, 1.5, 2 ** 53],
  },
  { fields: ['maxCpu', 'maxMemory'], allowed: [0, 0.5, 1e300], refused: [-1e-9, '1'] },
  { fields: ['versions'], allowed: [[], list(10_000, 2)], refused: [list(10_001, 2), [2, -1], [0.5]] },
  {
    fields: ['running'],
    allowed: [[], list(10_000, 'x')],
    refused: [list(10_001, 'x'), [''], ['x'.repeat(256)]],
  },
  {
    fields: ['completed'],
    allowed: [[], list(10_000, { commandId: 'x' })],
    refused: [list(10_001, { commandId: 'x' }), [{}]],
  },
  {
    fields: ['failed'],
    allowed: [[], list(10_000, { commandId: 'x', error: '' })],
    refused: [list(10_001, { commandId: 'x', error: '' }), [{ commandId: 'x' }]],
  },
  {
    fields: ['sessions'],
    allowed: [list(10_000, { sessionId: 's', generation: 0, commandId: 'c', state: 'running' })],
    refused: [
      list(10_001, { sessionId: 's', generation: 0, commandId: 'c', state: 'running' }),
      [{ sessionId: 's', generation: -1, commandId: 'c', state: 'running' }],
      [{ sessionId: 's', generation: 0, commandId: 'c', state: 'gone' }],
    ],
  },
  {
    fields: ANY_JSON,
    allowed: [{}, nested(64)],
    refused: [[], nested(65), nested(1_000)],
  },
  {
    fields: ['state', 'status', 'action'],
    allowed: [],
    refused: ['', 'gone', 'toString', 0],
  },
];

type Holder = Record<string, unknown>;
type Place = { holder: Holder; field: string; edge: Edge };

/** Fields of a payload that have a limit. */
function* places(value: unknown): Generator<Place> {
  if (typeof value !== 'object' || value === null) return;
  for (const [field, part] of Object.entries(value)) {
    for (const edge of EDGES) if (edge.fields.includes(field)) yield { holder: value as Holder, field, edge };
    if (!ANY_JSON.includes(field)) yield* places(part);
  }
}

/** A sound message with one field at a limit or one beyond it; or a text of as many characters as may be, or one more. */
export function borderMessage(random: Random, sample: AgentMessage | ControlMessage): Border<string> {
  const isAllowed = random.chance(0.4);
  const text = encodeMessage(sample, 0);
  const document = JSON.parse(text) as { payload: Holder };
  const found = [...places(document.payload)].filter(({ edge }) => !isAllowed || edge.allowed.length > 0);
  if (found.length === 0 || random.chance(sample.type === 'session_event' ? 0.2 : 0.01)) {
    const most = sample.type === 'session_event' ? MOST.eventChars : MOST.messageChars;
    const length = most + (isAllowed ? 0 : 1);
    const start = `${text.slice(0, -1)},"later":"`;
    const input = `${start}${'x'.repeat(length - start.length - 2)}"}`;
    return { input, isAllowed, what: `a text of ${length} characters` };
  }
  // Long lists take long, above all where they are let in.
  const quick = found.filter(({ edge }) => !edge.fields.some((field) => LISTS.includes(field)));
  const { holder, field, edge } = random.pick(
    quick.length > 0 && random.chance(isAllowed ? 0.95 : 0.6) ? quick : found,
  );
  const value = random.pick(isAllowed ? edge.allowed : edge.refused);
  holder[field] = value;
  const input = JSON.stringify(document);
  return { input, isAllowed, what: `${sample.type} with ${field} = ${JSON.stringify(value).slice(0, 60)}` };
}

const NUMBERS = {
  allowed: [0n, 2n ** 53n - 1n],
  refused: [2n ** 53n, 2n ** 54n - 1n, 2n ** 63n, 2n ** 64n - 1n],
};

/** A sound frame with one thing at a limit or one beyond it. */
export function borderFrame(random: Random): Border<Uint8Array> {
  const isAllowed = random.chance(0.4);
  const number = random.pick(isAllowed ? NUMBERS.allowed : NUMBERS.refused);
  const beyond = isAllowed ? 0 : 1;
  let frame: Frame = sampleFrame(random);
  while (frame.kind === 'data' && frame.bytes.length > 64) frame = sampleFrame(random);
  const bytes = Buffer.from(encodeFrame(frame));
  const border = (what: string, input: Uint8Array = bytes): Border<Uint8Array> => ({
    input,
    isAllowed,
    what,
  });
  const longer = (kind: number, length: number, fill: number): Uint8Array => {
    const long = new Uint8Array(FRAME_HEADER_BYTES + length).fill(fill, FRAME_HEADER_BYTES);
    long.set(bytes.subarray(0, 10));
    long[0] = kind;
    return long;
  };
  switch (random.upTo(6)) {
    case 0:
      bytes.writeBigUInt64BE(
        frame.kind === 'data' ? number - (isAllowed && number > 0n ? 64n : 0n) : number,
        10,
      );
      return border(`${frame.kind} with ${number}`);
    case 1: {
      const credit = Buffer.from(
        encodeFrame({ kind: 'credit', streamId: random.id(), consumed: 1, limit: 1 }),
      );
      credit.writeBigUInt64BE(number, FRAME_HEADER_BYTES);
      return border(`credit up to ${number}`, credit);
    }
    case 2: {
      const data = new Uint8Array(1 + random.upTo(60));
      const offset = 2 ** 53 - 1 - data.length + beyond;
      return border('data up to 2^53', encodeFrame({ kind: 'data', streamId: 1n, offset, bytes: data }));
    }
    case 3:
      return border('data of the most bytes', longer(FRAME_KIND.data, MOST.dataBytes + beyond, 1));
    case 4: {
      const kind = random.pick(['accept', 'ping', 'pong', 'end', 'reset', 'credit'] as const);
      const length = MOST.bodyBytes + beyond;
      // The body of a credit is a number, and what may follow it.
      return border(
        `${kind} of the most bytes`,
        longer(FRAME_KIND[kind], length, kind === 'credit' ? 0 : 0x20),
      );
    }
    case 5: {
      const kind = random.pick(['open', 'policy', 'resume', 'resumeAck'] as const);
      const request = openRequest(random);
      const text = JSON.stringify(kind === 'policy' ? request.policy : request);
      const body = Buffer.from(text);
      const long = longer(FRAME_KIND[kind], MOST.bodyBytes + beyond, 0x20);
      long.set(body, FRAME_HEADER_BYTES);
      return border(`${kind} of the most bytes`, long);
    }
    default: {
      const field = random.pick(['sessionId', 'port', 'edge'] as const);
      const name = 'x'.repeat(isAllowed ? random.pick([1, 255]) : random.pick([0, 256]));
      const request = { ...openRequest(random), [field]: name };
      return border(
        `open with ${field} of ${name.length} characters`,
        encodeFrame({ kind: 'open', streamId: random.id(), credit: 0, request }),
      );
    }
  }
}
