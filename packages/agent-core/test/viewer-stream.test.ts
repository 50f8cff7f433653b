import { Encoding, serveRfb, connectRfb, type Desktop, type DesktopSeat } from '@streamspace/rfb';
import { createTunnel } from '@streamspace/vnc-tunnel';
import { channelPair, linkPair } from '@streamspace/vnc-tunnel/testing';
import type { OpenRequest } from '@streamspace/protocol';
import { describe, expect, it } from 'vitest';
import type { Platform } from '../src/index.js';
import { LoopTurns } from '../src/loop-turns.js';
import { memoryPlatform } from '../src/testing/index.js';
import { openViewerStream } from '../src/viewer-stream.js';

const { signal } = new AbortController();
const REQUEST = {
  sessionId: 's-1',
  port: 'vnc',
  edge: 'e',
  attachment: { agentEpoch: 1, viewerAttach: 1 },
} as const;

/** A platform whose sessions have one desktop that writes down what it is sent. */
function recordingPlatform(): { platform: Platform; seen: string[] } {
  const seen: string[] = [];
  const seat: DesktopSeat = {
    pointer: ({ x, y, buttons }) => void seen.push(`pointer ${x} ${y} ${buttons}`),
    key: ({ keysym, down }) => void seen.push(`key ${keysym} ${down}`),
    clipboard: (text) => void seen.push(`clipboard ${text}`),
    cursor: undefined,
    detach() {},
  };
  const framebuffer = { width: 8, height: 8, pixels: new Uint32Array(64) };
  const desktop: Desktop = { name: 'recorder', framebuffer, attach: () => seat };
  const platform = memoryPlatform();
  platform.openStream = async () => {
    const [near, far] = channelPair();
    void serveRfb(far, desktop);
    return near;
  };
  return { platform, seen };
}

async function view(role: 'control' | 'view', clipboard: 'both' | 'none') {
  const { platform, seen } = recordingPlatform();
  let inputs = 0;
  const stream = await openViewerStream({
    platform,
    request: { ...REQUEST, policy: { role, clipboard } },
    signal,
    turns: new LoopTurns(),
    onInput: () => (inputs += 1),
  });
  const viewer = await connectRfb(stream.channel, { encodings: [Encoding.raw] });
  const use = async (): Promise<void> => {
    await viewer.pointer(1, 3, 4);
    await viewer.key(true, 97);
    await viewer.sendCutText('text');
    await viewer.request(false);
    await viewer.nextUpdate();
  };
  return { stream, viewer, use, seen, inputs: () => inputs };
}

describe('a stream for a viewer', () => {
  it('lets one that may control do everything, and tells that somebody is there', async () => {
    const { stream, viewer, use, seen, inputs } = await view('control', 'both');
    expect(inputs()).toBe(0);
    await use();
    expect(seen).toEqual(['pointer 3 4 1', 'key 97 true', 'clipboard text']);
    expect([inputs(), stream.dropped()]).toEqual([3, 0]);
    await viewer.close();
    await stream.channel.closed;
  });

  it('lets one that may watch see and do nothing', async () => {
    const { stream, viewer, use, seen, inputs } = await view('view', 'none');
    await use();
    expect(seen).toEqual([]);
    expect([inputs(), stream.dropped()]).toEqual([0, 3]);
    await viewer.close();
  });

  it('holds the clipboard back where that is not allowed', async () => {
    const { stream, viewer, use, seen } = await view('control', 'none');
    await use();
    expect(seen).toEqual(['pointer 3 4 1', 'key 97 true']);
    expect(stream.dropped()).toBe(1);
    await viewer.close();
  });

  it('lends the bytes of a server that lends its own', async () => {
    const { platform } = recordingPlatform();
    const open = platform.openStream.bind(platform);
    let borrowed = 0;
    platform.openStream = async (...call) => {
      const server = await open(...call);
      server.borrow = () => {
        borrowed += 1;
        return server.read();
      };
      return server;
    };
    const { channel } = await openViewerStream({
      platform,
      request: { ...REQUEST, policy: { role: 'control', clipboard: 'both' } },
      signal,
      turns: new LoopTurns(),
      onInput() {},
    });
    const viewer = await connectRfb(
      {
        read: () => channel.borrow!(),
        write: (bytes) => channel.write(bytes),
        end: () => channel.end(),
        abort: (reason) => channel.abort(reason),
      },
      { encodings: [Encoding.raw] },
    );
    await viewer.request(false);
    await viewer.nextUpdate();
    expect(borrowed).toBeGreaterThan(3);
    await viewer.close();
  });

  it.each([
    ['a role that is not known', { role: 'owner', clipboard: 'both' }, 'vnc', 'role owner is not known here'],
    ['view on a port that is no desktop', { role: 'view', clipboard: 'none' }, 'ssh', 'view is for vnc'],
  ])('is refused for %s', async (_what, policy, port, message) => {
    const { platform } = recordingPlatform();
    const request = { ...REQUEST, port, policy: policy as { role: 'view'; clipboard: 'none' } };
    const opened = openViewerStream({ platform, request, signal, turns: new LoopTurns(), onInput() {} });
    await expect(opened).rejects.toMatchObject({ code: 'refused' });
    await expect(opened).rejects.toThrow(message);
  });

  /** A stream through a control plane's tunnel to an agent on this platform. */
  async function acrossTunnel(platform: Platform) {
    const link = linkPair();
    const onOpen = async (request: OpenRequest, abort: AbortSignal) => {
      const turns = new LoopTurns();
      return (await openViewerStream({ platform, request, signal: abort, turns, onInput() {} })).channel;
    };
    const agent = createTunnel({ link: link.b, onOpen });
    const controlPlane = createTunnel({ link: link.a });
    const policy = { role: 'view', clipboard: 'none' } as const;
    const stream = await controlPlane.open({ ...REQUEST, policy });
    const expectReset = async (detail: string): Promise<void> => {
      const error = await stream.closed;
      expect(error).toMatchObject({ name: 'TunnelError', code: 'protocol_error' });
      expect(error?.message).toContain(detail);
      await Promise.all([agent.close(), controlPlane.close()]);
    };
    return { stream, expectReset };
  }

  it.each([
    [
      'a viewer that speaks no RFB',
      ['RFB 003.008\n'],
      'GET / HTTP/1.1',
      `client's greeting is "GET / HTTP/1`,
    ],
    [
      'a server that speaks no RFB',
      ['SSH-2.0-OpenSSH'],
      'RFB 003.008\n',
      `server's greeting is "SSH-2.0-Open`,
    ],
    ['a server that encrypts', ['RFB 003.008\n', '\x01\x13'], 'RFB 003.008\n', 'server offers security 19'],
  ])('is reset with protocol_error and what was wrong: %s', async (_what, server, viewer, detail) => {
    const platform = memoryPlatform();
    platform.openStream = async () => {
      const [near, far] = channelPair();
      void (async () => {
        for (const answer of server) {
          await far.write(Buffer.from(answer, 'latin1'));
          await far.read();
        }
      })().catch(() => undefined);
      return near;
    };
    const { stream, expectReset } = await acrossTunnel(platform);
    // It may have been reset already.
    await stream.write(Buffer.from(viewer, 'latin1')).catch(() => undefined);
    await expectReset(detail);
  });

  it('is reset with protocol_error when a message comes of which the length is not known', async () => {
    const { stream, expectReset } = await acrossTunnel(recordingPlatform().platform);
    await connectRfb(stream, { encodings: [Encoding.raw] });
    await stream.write(Uint8Array.of(200));
    await expectReset('client message of type 200');
  });
});
