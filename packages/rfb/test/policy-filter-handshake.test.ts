import { describe, expect, it } from 'vitest';
import { RfbPolicyFilter, writeKeyEvent, writeSecurityResult, writeVersion } from '@streamspace/rfb';
import { ascii, bytes, control, noise, picker, view } from './filter-support.js';
import { concat } from './support.js';

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

describe('What is refused in a handshake:', () => {
  it.each([
    [3, 7],
    [3, 8],
    [7, 8],
  ] as const)('a client that greets where the server speaks 3.%i with 3.%i', (server, client) => {
    const filter = new RfbPolicyFilter(view);
    filter.fromServer(writeVersion(server));
    expect(() => filter.fromClient(writeVersion(client))).toThrow(
      expect.objectContaining({ code: 'version_unsupported' }),
    );
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

  it('a key of a client that said ClientInit before it was refused', () => {
    const filter = new RfbPolicyFilter(control);
    filter.fromServer(writeVersion(8));
    filter.fromClient(writeVersion(8));
    filter.fromServer(bytes(1, 1));
    expect(filter.fromClient(bytes(1, 1))).toEqual(bytes(1, 1));
    const result = writeSecurityResult('no');
    expect(filter.fromServer(result)).toEqual(result);
    expect(() => filter.fromClient(key)).toThrow('out of turn');
  });

  it('a server that gives its result before the client has chosen', () => {
    const filter = new RfbPolicyFilter(view);
    filter.fromServer(writeVersion(8));
    filter.fromClient(writeVersion(8));
    filter.fromServer(bytes(1, 1));
    expect(() => filter.fromServer(bytes(0))).toThrow(
      'the server spoke out of turn in the handshake (offered)',
    );
  });
});

it('Before a server has greeted, nothing of a client passes', () => {
  expect(new RfbPolicyFilter(control).fromClient(writeVersion(8).subarray(0, 11))).toHaveLength(0);
  expect(() => new RfbPolicyFilter(control).fromClient(writeVersion(8))).toThrow('out of turn');
});
