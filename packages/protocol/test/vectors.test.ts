import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  ACTIONS,
  decodeAgentMessage,
  decodeControlMessage,
  decodeFrame,
  encodeFrame,
  encodeMessage,
  FRAME_KIND,
  OBSERVED_STATES,
  RESET_CODE,
  type Frame,
} from '../src/index.js';
import { AGENT_MESSAGES, CONTROL_MESSAGES } from '../src/messages.js';

/** A text, or its parts; see vectors/README.md. */
type Input = string | readonly (string | { readonly repeat: string; readonly times: number })[];
interface Decoded {
  readonly kind?: string;
  readonly type?: string;
  readonly [field: string]: unknown;
}
interface Vectors<Key extends 'hex' | 'text', Value extends string> {
  readonly valid: readonly (Record<Key, Input> & Record<Value, Decoded> & { readonly name: string })[];
  readonly lenient: readonly (Record<Key, Input> & Record<Value, Decoded> & { readonly name: string })[];
  readonly rejected: readonly (Record<Key, Input> & { readonly name: string; readonly error: string })[];
}

const load = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`vectors/${name}`, import.meta.url), 'utf8')) as T;

const join = (input: Input): string =>
  typeof input === 'string'
    ? input
    : input.map((part) => (typeof part === 'string' ? part : part.repeat.repeat(part.times))).join('');

const bytesOf = (input: Input): Uint8Array => new Uint8Array(Buffer.from(join(input), 'hex'));

/** Lists with a part that repeats become the text that they stand for. */
function expand(value: unknown): unknown {
  if (Array.isArray(value))
    return value.some((part) => typeof part === 'object' && part !== null && 'repeat' in part)
      ? join(value as Input)
      : value.map(expand);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, expand(inner)]));
}

function frameOf(decoded: Decoded): Frame {
  const fields = expand(decoded) as Record<string, unknown>;
  const bytes = fields['bytes'];
  return {
    ...fields,
    streamId: BigInt(`0x${String(fields['streamId'])}`),
    ...(typeof bytes === 'string' && { bytes: bytesOf(bytes) }),
  } as Frame;
}

const thrownBy = (action: () => unknown): unknown => {
  try {
    return action();
  } catch (error) {
    return error;
  }
};

describe('golden frames', () => {
  const vectors = load<Vectors<'hex', 'frame'>>('frames.json');

  it.each(vectors.valid.map((vector) => [vector.name, vector] as const))(
    '%s reads and writes',
    (_, vector) => {
      const frame = frameOf(vector.frame);
      expect(decodeFrame(bytesOf(vector.hex))).toEqual(frame);
      expect(Buffer.from(encodeFrame(frame)).equals(bytesOf(vector.hex))).toBe(true);
    },
  );

  it.each(vectors.lenient.map((vector) => [vector.name, vector] as const))(
    '%s is let through',
    (_, vector) => {
      expect(decodeFrame(bytesOf(vector.hex))).toEqual(frameOf(vector.frame));
    },
  );

  it.each(vectors.rejected.map((vector) => [vector.name, vector] as const))('%s is refused', (_, vector) => {
    const bytes = bytesOf(vector.hex);
    expect(thrownBy(() => decodeFrame(bytes))).toMatchObject({ name: 'ProtocolError', code: vector.error });
  });

  it('show every kind and every reset code, and every code of an error', () => {
    expect(new Set(vectors.valid.map(({ frame }) => frame.kind))).toEqual(new Set(Object.keys(FRAME_KIND)));
    const codes = vectors.valid.flatMap(({ frame }) => (frame.kind === 'reset' ? [frame['code']] : []));
    expect(new Set(codes)).toEqual(new Set(Object.keys(RESET_CODE)));
    expect(new Set(vectors.rejected.map(({ error }) => error))).toEqual(
      new Set(['malformed_frame', 'unknown_frame', 'frame_too_large']),
    );
  });
});

describe.each([
  ['agent-messages.json', decodeAgentMessage, AGENT_MESSAGES],
  ['control-messages.json', decodeControlMessage, CONTROL_MESSAGES],
] as const)('golden messages of %s', (file, decode, catalogue) => {
  const vectors = load<Vectors<'text', 'message'>>(file);

  it.each(vectors.valid.map((vector) => [vector.name, vector] as const))(
    '%s reads and writes',
    (_, vector) => {
      const text = join(vector.text);
      const message = decode(text);
      expect(message).toEqual(vector.message);
      const { timestamp } = JSON.parse(text) as { timestamp: string };
      expect(JSON.parse(encodeMessage(message, Date.parse(timestamp)))).toEqual(JSON.parse(text));
    },
  );

  it.each(vectors.lenient.map((vector) => [vector.name, vector] as const))(
    '%s is let through',
    (_, vector) => {
      expect(decode(join(vector.text))).toEqual(expand(vector.message));
    },
  );

  it.each(vectors.rejected.map((vector) => [vector.name, vector] as const))('%s is refused', (_, vector) => {
    const text = join(vector.text);
    expect(thrownBy(() => decode(text))).toMatchObject({ name: 'ProtocolError', code: vector.error });
  });

  it('show every type, accepted and (where it has required fields) refused, and every code of an error', () => {
    const types = Object.keys(catalogue);
    expect(new Set(vectors.valid.map(({ message }) => message.type))).toEqual(new Set(types));
    const refused = new Set(
      vectors.rejected
        .filter(({ error }) => error === 'malformed_message')
        .flatMap(({ text }) => /"type":"(\w+)"/.exec(join(text))?.[1] ?? []),
    );
    expect(types.filter((type) => !refused.has(type))).toEqual([]);
    expect(new Set(vectors.rejected.map(({ error }) => error))).toEqual(
      new Set(['malformed_message', 'unknown_message', 'message_too_large']),
    );
  });

  it('show every action or state that their messages may name', () => {
    const shown = JSON.stringify(vectors.valid);
    const names = catalogue === AGENT_MESSAGES ? OBSERVED_STATES : ACTIONS;
    expect(names.filter((name) => !shown.includes(`\\"${name}\\"`))).toEqual([]);
  });
});
