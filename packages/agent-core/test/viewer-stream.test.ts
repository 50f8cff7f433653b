import { Encoding, serveRfb, connectRfb, type Desktop, type DesktopSeat } from '@streamspace/rfb';
import { channelPair } from '@streamspace/vnc-tunnel/testing';
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
});
