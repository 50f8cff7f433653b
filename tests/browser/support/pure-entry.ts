import { decodeFrame, encodeFrame } from '@streamspace/protocol';
import { connectRfb, serveRfb, type Desktop } from '@streamspace/rfb';
import { createTunnel, joinChannels, type ByteChannel, type FrameLink } from '@streamspace/vnc-tunnel';

/** What browsers give a MessagePort; Node's types, which this file is checked with, know a part of it. */
interface Port {
  postMessage(value: unknown): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  close(): void;
}

/** One end of a MessageChannel as a tunnel's link. */
function portLink(port: Port): FrameLink {
  return {
    queuedBytes: 0,
    send: (bytes) => port.postMessage(bytes.slice()),
    listen: (listener) => {
      port.onmessage = ({ data }) => listener.onFrame(data as Uint8Array);
      return () => (port.onmessage = null);
    },
    close: () => port.close(),
  };
}

/** A desktop of one colour, with nothing to be done to it. */
const desktop: Desktop = {
  name: 'pure',
  framebuffer: { width: 64, height: 48, pixels: new Uint32Array(64 * 48).fill(0x336699) },
  attach: () => ({
    cursor: undefined,
    pointer: () => undefined,
    key: () => undefined,
    clipboard: () => undefined,
    detach: () => undefined,
  }),
};

const open = {
  sessionId: 's',
  port: 'vnc',
  policy: { role: 'control', clipboard: 'both' },
  edge: 'page',
  attachment: { agentEpoch: 1, viewerAttach: 1 },
} as const;

/** Runs the three packages that promise to work in browsers; returns what came out. */
export async function tryPurePackages(): Promise<Record<string, unknown>> {
  const { port1, port2 } = new MessageChannel() as unknown as Record<'port1' | 'port2', Port>;
  const served: ByteChannel[] = [];
  const far = createTunnel({
    link: portLink(port2),
    onOpen: async ({ port }) => {
      const [ours, theirs] = pair();
      served.push(ours);
      if (port === 'vnc') void serveRfb(ours, desktop);
      else void joinChannels(ours, ours);
      return theirs;
    },
  });
  const near = createTunnel({ link: portLink(port1) });

  const echo = await near.open({ ...open, port: 'echo' });
  const sent = crypto.getRandomValues(new Uint8Array(60_000));
  const writing = (async () => {
    for (let i = 0; i < 10; i++) await echo.write(sent);
  })();
  let echoed = 0;
  while (echoed < 600_000) echoed += (await echo.read())!.length;
  await writing;

  const client = await connectRfb(await near.open(open));
  const result = {
    frame: decodeFrame(encodeFrame({ kind: 'ping', streamId: 2n ** 64n - 1n, nonce: 7 })).streamId.toString(),
    echoed,
    desktop: `${client.name} ${client.framebuffer.width}x${client.framebuffer.height}`,
  };
  near.abort();
  far.abort();
  for (const channel of served) channel.abort();
  return result;
}

/** Two ends of one channel without any buffer: a write waits until it is read. */
function pair(): [ByteChannel, ByteChannel] {
  const ab = new TransformStream<Uint8Array, Uint8Array>();
  const ba = new TransformStream<Uint8Array, Uint8Array>();
  return [end(ba.readable, ab.writable), end(ab.readable, ba.writable)];
}

function end(readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>): ByteChannel {
  const reader = readable.getReader();
  const writer = writable.getWriter();
  const closed = Promise.allSettled([reader.closed, writer.closed]).then(() => undefined);
  return {
    closed,
    read: async () => (await reader.read()).value ?? null,
    write: (bytes) => writer.write(bytes.slice()),
    end: () => writer.close(),
    abort: (reason) => {
      void reader.cancel(reason).catch(() => undefined);
      void writer.abort(reason).catch(() => undefined);
    },
  };
}
