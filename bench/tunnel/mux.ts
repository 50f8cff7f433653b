import { connect } from 'node:net';
import type { RawData, WebSocket } from 'ws';

/** Streams over one WebSocket as they are often written: each message a stream's number and bytes, and nothing else. */
export interface Codec {
  encode(id: number, bytes: Uint8Array): string | Uint8Array;
  decode(message: Buffer): { id: number; bytes: Buffer };
}

const binary: Codec = {
  encode(id, bytes) {
    const message = Buffer.allocUnsafe(4 + bytes.length);
    message.writeUInt32BE(id);
    message.set(bytes, 4);
    return message;
  },
  decode: (message) => ({ id: message.readUInt32BE(0), bytes: message.subarray(4) }),
};

const json: Codec = {
  encode: (id, bytes) =>
    JSON.stringify({
      type: 'vnc_data',
      timestamp: new Date(),
      payload: { id, data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64') },
    }),
  decode(message) {
    const { payload } = JSON.parse(message.toString()) as { payload: { id: number; data: string } };
    return { id: payload.id, bytes: Buffer.from(payload.data, 'base64') };
  },
};

export const CODECS = { binary, json } as const;

export function codecNamed(name: string): Codec {
  if (name in CODECS) return CODECS[name as keyof typeof CODECS];
  throw new RangeError(
    `no codec is called ${JSON.stringify(name)}; there are ${Object.keys(CODECS).join(' and ')}`,
  );
}

/** A source is paused while this much waits in front of a socket. */
const HIGH_WATER_BYTES = 256 * 1024;

/**
 * The first message of a stream names where it leads to, an empty one ends it. A slow viewer pauses the one WebSocket,
 * and with it everybody.
 */
export class Mux {
  readonly #sinks = new Map<number, (bytes: Buffer) => void>();
  #lastId = 0;

  /** @param portOf what a stream's target listens on; at the agent's end only */
  constructor(
    private readonly ws: WebSocket,
    private readonly codec: Codec,
    portOf?: (target: string) => number,
  ) {
    ws.on('message', (message: RawData) => {
      const { id, bytes } = codec.decode(message as Buffer);
      const sink = this.#sinks.get(id);
      if (sink) sink(bytes);
      else if (portOf && bytes.length > 0) this.#dial(id, portOf(bytes.toString()));
    });
  }

  view(viewer: WebSocket, target: string): void {
    const id = ++this.#lastId;
    this.#send(id, Buffer.from(target));
    this.#sinks.set(id, (bytes) => {
      viewer.send(bytes, { binary: true, compress: false }, () => {
        if (viewer.bufferedAmount < HIGH_WATER_BYTES) this.ws.resume();
      });
      if (viewer.bufferedAmount >= HIGH_WATER_BYTES) this.ws.pause();
    });
    viewer.on('message', (bytes: Buffer) => this.#send(id, bytes));
    viewer.on('close', () => {
      this.#sinks.delete(id);
      this.#send(id, Buffer.alloc(0));
      this.ws.resume();
    });
  }

  #dial(id: number, port: number): void {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.on('error', () => socket.destroy());
    this.#sinks.set(id, (bytes) => {
      if (bytes.length > 0) return void socket.write(bytes);
      this.#sinks.delete(id);
      socket.destroy();
    });
    socket.on('data', (bytes) => {
      this.#send(id, bytes, () => {
        if (this.ws.bufferedAmount < HIGH_WATER_BYTES) socket.resume();
      });
      if (this.ws.bufferedAmount >= HIGH_WATER_BYTES) socket.pause();
    });
  }

  #send(id: number, bytes: Uint8Array, sent?: () => void): void {
    this.ws.send(this.codec.encode(id, bytes), { compress: false }, () => sent?.());
  }
}
