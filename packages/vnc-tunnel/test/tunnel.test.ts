import { decodeFrame, LIMITS, type Frame } from '@streamspace/protocol';
import * as root from '@streamspace/vnc-tunnel';
import * as node from '@streamspace/vnc-tunnel/node';
import * as testing from '@streamspace/vnc-tunnel/testing';
import { describe, expect, it } from 'vitest';

const { createTunnel } = root;
const { channelPair, linkPair, openRequest } = testing;

/** The same link, which keeps what is sent. */
function recording(link: root.FrameLink, sent: Frame[]): root.FrameLink {
  return {
    send(bytes) {
      sent.push(decodeFrame(bytes));
      link.send(bytes);
    },
    get queuedBytes() {
      return link.queuedBytes;
    },
    listen: (listener) => link.listen(listener),
    close: (code, reason) => link.close(code, reason),
  };
}

describe('createTunnel', () => {
  it('names the limit that is out of range, and what is allowed', () => {
    const { a: link } = linkPair();
    expect(() => createTunnel({ link, limits: { quantumBytes: 65_536 } })).toThrow(
      `limits.quantumBytes must be a whole number from 1 to ${LIMITS.dataBytes}, not 65536`,
    );
    expect(() => createTunnel({ link, limits: { streams: 0 } })).toThrow('limits.streams');
  });

  it('sends small frames before data that waits for the link', async () => {
    const links = linkPair();
    const sent: Frame[] = [];
    const link = recording(links.a, sent);
    const near = createTunnel({ link });
    const far = createTunnel({ link: links.b, onOpen: async () => channelPair()[0] });
    const stream = await near.open(openRequest());
    links.hold(true);
    const writing = stream.write(new Uint8Array(LIMITS.initialWindowBytes));
    await Promise.resolve();
    const opening = near.open(openRequest('second'));
    links.hold(false);
    await opening;
    await writing;
    const kinds = sent.map((frame) => frame.kind);
    expect(kinds.lastIndexOf('open')).toBeLessThan(kinds.lastIndexOf('data'));
    expect(kinds.indexOf('data')).toBeLessThan(kinds.lastIndexOf('open'));
    await near.close();
    await far.close();
  });

  it('gives each busy stream one frame in turn', async () => {
    const links = linkPair();
    const sent: Frame[] = [];
    const near = createTunnel({ link: recording(links.a, sent) });
    const far = createTunnel({ link: links.b, onOpen: async () => channelPair(2 ** 20)[0] });
    const streams = await Promise.all(['a', 'b', 'c'].map((name) => near.open(openRequest(name))));
    await Promise.all(streams.map((stream) => stream.write(new Uint8Array(200_000))));
    const data = sent.filter((frame) => frame.kind === 'data');
    expect(data.length).toBe(3 * Math.ceil(200_000 / LIMITS.dataBytes));
    for (let turn = 0; turn < data.length; turn += 3)
      expect(new Set(data.slice(turn, turn + 3).map((frame) => frame.streamId)).size).toBe(3);
    await near.close();
    await far.close();
  });

  it('says aloud when a dialled channel is not released in time', async () => {
    const links = linkPair();
    const errors: unknown[] = [];
    const near = createTunnel({ link: links.a });
    let dialled = false;
    const far = createTunnel({
      link: links.b,
      limits: { closeTimeoutMs: 20 },
      onOpen: () => {
        dialled = true;
        return new Promise(() => {});
      },
      onError: (error, where) => errors.push([(error as { code?: string }).code, where]),
    });
    const opening = near.open(openRequest());
    while (!dialled) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([far.close(), expect(opening).rejects.toMatchObject({ code: 'going_away' })]);
    expect(errors).toEqual([['timeout', 'close']]);
    await near.close();
  });
});

describe('what the package exports', () => {
  it('is what is listed here', () => {
    expect(Object.keys(root).sort()).toEqual(['TunnelError', 'createTunnel', 'creditBudget', 'joinChannels']);
    expect(Object.keys(node).sort()).toEqual([
      'clientOptions',
      'connectTcp',
      'connectUnix',
      'socketChannel',
      'webSocketChannel',
      'webSocketLink',
    ]);
    expect(Object.keys(testing).sort()).toEqual([
      'channelContract',
      'channelPair',
      'linkPair',
      'openRequest',
      'tunnelContract',
    ]);
  });
});
