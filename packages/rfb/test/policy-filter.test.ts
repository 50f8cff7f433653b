import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ClientMessageParser,
  Encoding,
  filterChannel,
  RfbError,
  RfbPolicyFilter,
  writeClientCutText,
  writeFramebufferUpdateRequest,
  writeKeyEvent,
  writePointerEvent,
  writeSecurityResult,
  writeSetEncodings,
  writeVersion,
  type RfbPolicy,
  type RfbPolicyFilterOptions,
} from '@streamspace/rfb';
import { channels, concat } from './support.js';

const control: RfbPolicy = { role: 'control', clipboard: 'both' };
const view: RfbPolicy = { role: 'view', clipboard: 'none' };
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A filter after a 3.8 handshake without authentication. */
function opened(policy: RfbPolicy, options?: RfbPolicyFilterOptions): RfbPolicyFilter {
  const filter = new RfbPolicyFilter(policy, options);
  filter.fromServer(writeVersion(8));
  filter.fromClient(writeVersion(8));
  filter.fromServer(bytes(1, 1));
  filter.fromClient(bytes(1));
  filter.fromServer(writeSecurityResult());
  filter.fromClient(bytes(1));
  return filter;
}

/** A source of numbers that a seed determines. */
function picker(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

type Pick = (below: number) => number;
const noise = (pick: Pick, count: number): Uint8Array => Uint8Array.from({ length: count }, () => pick(256));
/** A head of fixed bytes, a length or count where the message has it, random bytes for everything else. */
function message(pick: Pick, type: number, length: number, set: (view: DataView) => void = () => undefined) {
  const content = noise(pick, length);
  content[0] = type;
  set(new DataView(content.buffer));
  return content;
}

const KINDS: readonly { type: number; input: boolean; make: (pick: Pick) => Uint8Array }[] = [
  { type: 0, input: false, make: (pick) => message(pick, 0, 20) },
  {
    type: 2,
    input: false,
    make: (pick) => {
      const count = pick(40);
      return message(pick, 2, 4 + 4 * count, (view) => {
        view.setUint16(2, count);
        for (let index = 0; index < count; index++) view.setInt32(4 + 4 * index, pick(600) - 310);
      });
    },
  },
  { type: 3, input: false, make: (pick) => message(pick, 3, 10) },
  { type: 4, input: true, make: (pick) => message(pick, 4, 8) },
  { type: 5, input: true, make: (pick) => message(pick, 5, 6) },
  {
    type: 6,
    input: true,
    make: (pick) => {
      const length = pick(2000);
      const sign = pick(2) ? 1 : -1;
      return message(pick, 6, 8 + length, (view) => view.setInt32(4, length * sign));
    },
  },
  { type: 150, input: false, make: (pick) => message(pick, 150, 10) },
  {
    type: 248,
    input: false,
    make: (pick) => {
      const length = pick(65);
      return message(pick, 248, 9 + length, (view) => view.setUint8(8, length));
    },
  },
  { type: 250, input: true, make: (pick) => message(pick, 250, 4) },
  {
    type: 251,
    input: true,
    make: (pick) => {
      const screens = pick(17);
      return message(pick, 251, 8 + 16 * screens, (view) => view.setUint8(6, screens));
    },
  },
  {
    type: 253,
    input: true,
    make: (pick) => {
      const length = pick(300);
      const big = pick(2) === 1;
      return message(pick, 253, 4 + length, (view) => {
        view.setUint8(1, (big ? 0x80 : 0) | pick(128));
        view.setUint16(2, length, !big);
      });
    },
  },
  { type: 255, input: true, make: (pick) => message(pick, 255, 12, (view) => view.setUint8(1, 0)) },
];

/** Random valid messages of at least `size` bytes. */
function traffic(pick: Pick, size: number): { type: number; input: boolean; content: Uint8Array }[] {
  const messages = [];
  for (let total = 0; total < size;) {
    const { type, input, make } = KINDS[pick(KINDS.length)]!;
    const content = make(pick);
    messages.push({ type, input, content });
    total += content.length;
  }
  return messages;
}

/** What comes out of a filter that is fed random fragments, each in a buffer that is used again at once. */
function run(filter: RfbPolicyFilter, stream: Uint8Array, pick: Pick): Uint8Array {
  const out: Uint8Array[] = [];
  for (let at = 0; at < stream.length;) {
    const most = [1, 3, 20, 300, 70_000][pick(5)]!;
    const lent = stream.slice(at, (at += 1 + pick(most)));
    out.push(filter.fromClient(lent).slice());
    lent.fill(0xee);
  }
  return concat(out);
}

function expectEqualBytes(actual: Uint8Array, wanted: Uint8Array): void {
  expect(actual.length).toBe(wanted.length);
  expect(Buffer.compare(actual, wanted)).toBe(0);
}

/** Keys, pointer, clipboard, other input devices and extended keys. */
const ACTIVITY = [4, 5, 6, 253, 255];

describe('A million bytes of random traffic in random fragments', () => {
  const cases: [string, RfbPolicy, (kind: { type: number; input: boolean }) => boolean][] = [
    ['view: no input passes, all else does', view, ({ input }) => !input],
    [
      'view that may have the clipboard: the same',
      { role: 'view', clipboard: 'both' },
      ({ input }) => !input,
    ],
    ['control: everything passes', control, () => true],
    ['control without a clipboard', { role: 'control', clipboard: 'none' }, ({ type }) => type !== 6],
    ['control that may only copy', { role: 'control', clipboard: 'out' }, ({ type }) => type !== 6],
    ['control that may only paste', { role: 'control', clipboard: 'in' }, () => true],
  ];
  it.each(cases)('%s', (_, policy, passes) => {
    const property = fc.property(fc.integer({ min: 1 }), (seed) => {
      const pick = picker(seed);
      const messages = traffic(pick, 200_000);
      const filter = opened(policy);
      const out = run(filter, concat(messages.map(({ content }) => content)), pick);
      const wanted = messages.filter(passes);
      expectEqualBytes(out, concat(wanted.map(({ content }) => content)));
      expect(filter.dropped).toBe(messages.length - wanted.length);
      const activity = wanted.filter(({ type }) => ACTIVITY.includes(type));
      expect(filter.inputs).toBe(activity.length);
    });
    fc.assert(property, { numRuns: 5 });
  });

  it('holds no input where the policy changes in between: each message is judged by the policy at its start', () => {
    const property = fc.property(fc.integer({ min: 1 }), (seed) => {
      const pick = picker(seed);
      const filter = opened(control);
      let watching = false;
      const out: Uint8Array[] = [];
      const wanted: Uint8Array[] = [];
      for (const { input, content } of traffic(pick, 20_000)) {
        if (!input || !watching) wanted.push(content);
        const cut = 1 + pick(content.length);
        out.push(filter.fromClient(content.subarray(0, cut)).slice());
        if (pick(3) === 0) filter.policy = (watching = !watching) ? view : control;
        out.push(filter.fromClient(content.subarray(cut)).slice());
      }
      expectEqualBytes(concat(out), concat(wanted));
    });
    fc.assert(property, { numRuns: 10 });
  });

  it('throws nothing but RfbError, whatever either side sends', () => {
    const chunk = fc.record({ client: fc.boolean(), content: fc.uint8Array({ maxLength: 60 }) });
    const property = fc.property(fc.boolean(), fc.array(chunk, { maxLength: 12 }), (greeted, chunks) => {
      const filter = greeted ? opened(view) : new RfbPolicyFilter(view);
      try {
        for (const { client, content } of chunks) {
          if (client) filter.fromClient(content);
          else filter.fromServer(content);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(RfbError);
      }
    });
    fc.assert(property, { numRuns: 2000 });
  });
});

describe('What the filter costs', () => {
  it('copies nothing of a chunk that passes whole', () => {
    const chunk = concat([writeKeyEvent(true, 65), writePointerEvent(1, 2, 3), writeKeyEvent(false, 65)]);
    const out = opened(control).fromClient(chunk);
    expect(out.buffer).toBe(chunk.buffer);
    expect(out.length).toBe(chunk.length);
  });

  it('copies nothing of what a server sends after the handshake', () => {
    const chunk = noise(picker(7), 65_536);
    const filter = opened(view);
    filter.fromServer(bytes(9));
    expect(filter.fromServer(chunk).buffer).toBe(chunk.buffer);
  });

  it('goes through a hundred thousand small messages in less than a second', () => {
    const move = writePointerEvent(0, 640, 400);
    const chunk = concat(Array.from({ length: 1000 }, () => move));
    const filter = opened(view);
    const start = performance.now();
    for (let round = 0; round < 100; round++) expect(filter.fromClient(chunk).length).toBe(0);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(filter.dropped).toBe(100_000);
  });

  it('skips a dropped text of 100 MB without storing it', () => {
    const length = 100_000_000;
    const filter = opened(view, { limits: { cutTextBytes: length } });
    const head = new Uint8Array(8);
    head[0] = 6;
    new DataView(head.buffer).setUint32(4, length);
    const chunk = new Uint8Array(1_000_000);
    const before = process.memoryUsage().arrayBuffers;
    expect(filter.fromClient(head)).toHaveLength(0);
    for (let sent = 0; sent < length; sent += chunk.length) expect(filter.fromClient(chunk)).toHaveLength(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5_000_000);
    const request = writeFramebufferUpdateRequest(true, { x: 0, y: 0, width: 1, height: 1 });
    expect(filter.fromClient(request)).toEqual(request);
  });
});

describe('What cannot be read is refused', () => {
  it.each([
    ['an unknown type', bytes(77), 'unknown_message'],
    ['the QEMU audio message', bytes(255, 1), 'unknown_message'],
    ['too long a text', bytes(6, 0, 0, 0, 0, 0x10, 0, 1), 'limit_exceeded'],
    ['too long an extended text', bytes(6, 0, 0, 0, 0x80, 0, 0, 0), 'limit_exceeded'],
    ['too many encodings', bytes(2, 0, 4, 1), 'limit_exceeded'],
    ['too long a fence', bytes(248, 0, 0, 0, 0, 0, 0, 0, 65), 'limit_exceeded'],
    ['too many screens', bytes(251, 0, 0, 9, 0, 9, 17, 0), 'limit_exceeded'],
  ])('%s', (_, content, code) => {
    for (const policy of [view, control]) {
      const filter = opened(policy);
      expect(() => filter.fromClient(content)).toThrow(expect.objectContaining({ code }));
      expect(() => filter.fromClient(writeKeyEvent(true, 65))).toThrow(expect.objectContaining({ code }));
    }
  });

  it('a client that greets with more than the server speaks', () => {
    const filter = new RfbPolicyFilter(view);
    filter.fromServer(ascii('RFB 003.003\n'));
    expect(() => filter.fromClient(writeVersion(8))).toThrow('at most the server');
  });

  it.each(['RFB 003.005\n', 'RFB 004.001\n', 'GET / HTTP/1'])('a client that greets with %j', (greeting) => {
    const filter = new RfbPolicyFilter(view);
    filter.fromServer(writeVersion(8));
    expect(() => filter.fromClient(ascii(greeting))).toThrow(
      expect.objectContaining({ code: 'version_unsupported' }),
    );
  });

  it('a client that speaks before it knows what its bytes will mean', () => {
    const filter = new RfbPolicyFilter(view);
    filter.fromServer(writeVersion(8));
    expect(() => filter.fromClient(concat([writeVersion(8), bytes(1)]))).toThrow('out of turn');
  });

  it('a security type that was not offered', () => {
    const filter = new RfbPolicyFilter(view);
    filter.fromServer(writeVersion(8));
    filter.fromClient(writeVersion(8));
    filter.fromServer(bytes(1, 1));
    expect(() => filter.fromClient(bytes(2))).toThrow(
      expect.objectContaining({ code: 'security_unsupported' }),
    );
  });

  it('a server with nothing but security that hides the rest', () => {
    const filter = new RfbPolicyFilter(view);
    filter.fromServer(writeVersion(8));
    filter.fromClient(writeVersion(8));
    expect(() => filter.fromServer(bytes(2, 19, 16))).toThrow('the server offers security 19, 16');
  });

  it('a client that goes on after it was refused', () => {
    const filter = new RfbPolicyFilter(view);
    filter.fromServer(writeVersion(8));
    filter.fromClient(writeVersion(8));
    filter.fromServer(bytes(1, 2));
    filter.fromClient(concat([bytes(2), new Uint8Array(16)]));
    const result = concat([new Uint8Array(16), writeSecurityResult('no')]);
    expect(filter.fromServer(result)).toEqual(result);
    expect(() => filter.fromClient(bytes(1))).toThrow('out of turn');
  });
});

/** Who says what, and what of it arrives where that is something else. */
type Step = ['server' | 'client', Uint8Array, Uint8Array?];
const key = writeKeyEvent(true, 65);
const challenge = Uint8Array.from({ length: 16 }, (_, index) => index);
const handshakes: [string, Step[]][] = [
  [
    '3.3, None',
    [
      ['server', writeVersion(3)],
      ['client', writeVersion(3)],
      ['server', bytes(0, 0, 0, 1)],
    ],
  ],
  [
    '3.3, VNC authentication',
    [
      ['server', writeVersion(3)],
      ['client', writeVersion(3)],
      ['server', concat([bytes(0, 0, 0, 2), challenge])],
      ['client', challenge],
      ['server', bytes(0, 0, 0, 0)],
    ],
  ],
  [
    '3.7, None, with a server that speaks 3.8',
    [
      ['server', writeVersion(8)],
      ['client', writeVersion(7)],
      ['server', bytes(1, 1)],
      ['client', bytes(1)],
    ],
  ],
  [
    '3.7, VNC authentication',
    [
      ['server', writeVersion(7)],
      ['client', writeVersion(7)],
      ['server', bytes(1, 2)],
      ['client', bytes(2)],
      ['server', challenge],
      ['client', challenge],
      ['server', bytes(0, 0, 0, 0)],
    ],
  ],
  [
    '3.8, None, out of several',
    [
      ['server', ascii('RFB 003.889\n')],
      ['client', writeVersion(8)],
      ['server', bytes(4, 19, 2, 30, 1), bytes(2, 2, 1)],
      ['client', bytes(1)],
      ['server', bytes(0, 0, 0, 0)],
    ],
  ],
  [
    '3.8, VNC authentication',
    [
      ['server', writeVersion(8)],
      ['client', writeVersion(8)],
      ['server', bytes(2, 16, 2), bytes(1, 2)],
      ['client', bytes(2)],
      ['server', challenge],
      ['client', challenge],
      ['server', bytes(0, 0, 0, 0)],
    ],
  ],
];

describe('The handshake passes', () => {
  const whole = (filter: RfbPolicyFilter, who: string, content: Uint8Array): Uint8Array =>
    (who === 'server' ? filter.fromServer(content) : filter.fromClient(content)).slice();
  const split = (filter: RfbPolicyFilter, who: string, content: Uint8Array): Uint8Array =>
    concat(Array.from(content, (byte) => whole(filter, who, bytes(byte))));

  describe.each(handshakes)('%s', (_, steps) => {
    it.each([
      ['whole', whole],
      ['byte by byte', split],
    ])('%s', (_, feed) => {
      const filter = new RfbPolicyFilter(view);
      for (const [who, said, heard] of steps) expect(feed(filter, who, said)).toEqual(heard ?? said);
      // ClientInit of a client that wants the desktop for itself, then a key.
      expect(feed(filter, 'client', concat([bytes(0), key]))).toEqual(bytes(1));
      const init = noise(picker(3), 40);
      expect(feed(filter, 'server', init)).toEqual(init);
      filter.policy = control;
      expect(feed(filter, 'client', key)).toEqual(key);
      expect(feed(filter, 'server', init)).toEqual(init);
    });
  });

  it.each([
    ['3.3', writeVersion(3), concat([bytes(0, 0, 0, 0), bytes(0, 0, 0, 2), ascii('no')])],
    ['3.8', writeVersion(8), concat([bytes(0), bytes(0, 0, 0, 2), ascii('no')])],
  ])("a server's refusal in %s", (_, greeting, refusal) => {
    const filter = new RfbPolicyFilter(view);
    filter.fromServer(greeting);
    filter.fromClient(greeting);
    expect(split(filter, 'server', refusal)).toEqual(refusal);
    expect(() => filter.fromClient(bytes(1))).toThrow('out of turn');
  });

  it('and leaves it to a client that controls whether to share', () => {
    const filter = new RfbPolicyFilter(control);
    for (const [who, said] of handshakes[0]![1]) whole(filter, who, said);
    expect(filter.fromClient(bytes(0))).toEqual(bytes(0));
  });
});

describe('What a client announces', () => {
  const announced = writeSetEncodings([
    Encoding.raw,
    Encoding.extendedMouseButtons,
    Encoding.extendedClipboard,
  ]);
  const plain = writeSetEncodings([Encoding.raw]);
  const extended = writeSetEncodings([Encoding.raw, Encoding.extendedClipboard]);

  it('is stripped of the extended clipboard where not both directions are allowed', () => {
    expect(opened(control).fromClient(announced)).toEqual(extended);
    for (const clipboard of ['in', 'out', 'none'] as const) {
      expect(opened({ role: 'control', clipboard }).fromClient(announced)).toEqual(plain);
    }
    expect(opened({ role: 'view', clipboard: 'both' }).fromClient(announced)).toEqual(plain);
  });

  it('is announced anew before the first message under another policy', () => {
    const filter = opened(view);
    filter.fromClient(announced);
    filter.policy = control;
    expect(filter.fromClient(key)).toEqual(concat([extended, key]));
    filter.policy = { role: 'control', clipboard: 'out' };
    expect(filter.fromClient(writeClientCutText('secret'))).toEqual(plain);
    expect(filter.fromClient(key)).toEqual(key);
  });

  it('leaves messages that our own parser reads', () => {
    const parser = new ClientMessageParser();
    parser.push(concat([writeVersion(8), bytes(1, 1), opened(view).fromClient(announced)]));
    const read = [];
    for (let next = parser.next(); next; next = parser.next()) read.push(next);
    expect(read.at(-1)).toEqual({ type: 'setEncodings', encodings: [Encoding.raw] });
  });
});

describe('A filtered channel', () => {
  function filtered(policy: RfbPolicy) {
    const [server, proxied] = channels();
    const channel = filterChannel(
      Object.assign(proxied, { closed: Promise.resolve(undefined) }),
      new RfbPolicyFilter(policy),
    );
    return { server, proxied, channel };
  }

  it('passes on what may pass, and never an empty chunk', async () => {
    const { server, channel } = filtered(view);
    const reading = channel.read();
    for (const byte of writeVersion(8)) await server.write(bytes(byte));
    expect(await reading).toEqual(writeVersion(8));
    await Promise.all([channel.write(writeVersion(8)), server.read()]);
    const offered = channel.read();
    await server.write(bytes(1, 1));
    expect(await offered).toEqual(bytes(1, 1));
    await server.end();
    expect(await channel.read()).toBeNull();
  });

  it('is aborted with what the filter refuses', async () => {
    const { proxied, channel } = filtered(view);
    const refused = expect.objectContaining({ code: 'version_unsupported' });
    await expect(channel.write(ascii('GET / HTTP/1.1\r\n'))).rejects.toThrow(refused);
    expect(proxied.aborted).toMatchObject({ code: 'version_unsupported' });
    await expect(channel.read()).rejects.toThrow();
  });
});

it('Before a server has greeted, nothing of a client passes', () => {
  expect(new RfbPolicyFilter(control).fromClient(writeVersion(8).subarray(0, 11))).toHaveLength(0);
  expect(() => new RfbPolicyFilter(control).fromClient(writeVersion(8))).toThrow('out of turn');
});
