import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Encoding,
  filterChannel,
  RfbError,
  RfbPolicyFilter,
  writeFramebufferUpdateRequest,
  writeKeyEvent,
  writePointerEvent,
  writeVersion,
  type RfbPolicy,
} from '@streamspace/rfb';
import { ascii, bytes, control, noise, opened, picker, view, type Pick } from './filter-support.js';
import { channels, concat } from './support.js';

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
        if (count > 20) view.setInt32(4 * count, Encoding.extendedClipboard);
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

interface Sent {
  readonly type: number;
  readonly input: boolean;
  readonly content: Uint8Array;
}

/** Random valid messages of at least `size` bytes. */
function traffic(pick: Pick, size: number): Sent[] {
  const messages = [];
  for (let total = 0; total < size;) {
    const { type, input, make } = KINDS[pick(KINDS.length)]!;
    const content = make(pick);
    messages.push({ type, input, content });
    total += content.length;
  }
  return messages;
}

const number = (content: Uint8Array, at: number): number => new DataView(content.buffer).getInt32(at);
/** Whether a SetEncodings announces the extended clipboard, which it does as the last one. */
const announces = ({ content }: Sent): boolean =>
  content.length > 4 && number(content, content.length - 4) === Encoding.extendedClipboard;
const isExtendedText = ({ type, content }: Sent): boolean => type === 6 && number(content, 4) < 0;

/** What of these messages arrives, where `extended` says whether the policy allows the extended clipboard. */
function arriving(messages: readonly Sent[], extended: boolean, passes: (sent: Sent) => boolean): Sent[] {
  let given = false;
  return messages.flatMap((sent) => {
    if (sent.type === 2) {
      given = extended && announces(sent);
      if (given || !announces(sent)) return [sent];
      const content = sent.content.slice(0, -4);
      content[3]! -= 1;
      return [{ ...sent, content }];
    }
    return passes(sent) && (given || !isExtendedText(sent)) ? [sent] : [];
  });
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
  const cases: [string, RfbPolicy, (sent: Sent) => boolean][] = [
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
      const wanted = arriving(messages, policy === control, passes);
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
      // Announcements have a test of their own.
      const messages = traffic(pick, 20_000).filter((sent) => sent.type !== 2 && !isExtendedText(sent));
      for (const { input, content } of messages) {
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
    const filter = opened(view);
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
});

it('The types that a refusal names as allowed are those that pass', () => {
  let named: number[] = [];
  try {
    opened(control).fromClient(bytes(77));
  } catch (error) {
    named = (error as RfbError).message
      .replace(/^.*allowed are /, '')
      .split(', ')
      .map(Number);
  }
  const known = Array.from({ length: 256 }, (_, type) => type).filter((type) => {
    try {
      opened(control).fromClient(bytes(type));
      return true;
    } catch {
      return false;
    }
  });
  expect(named).toEqual(known);
  expect(known).toEqual(KINDS.map(({ type }) => type));
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
