import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { within } from '../target.js';

export const WAIT_MS = 10_000;

/** A server on a free port of this machine that lets every agent register. */
export async function listen(
  onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
): Promise<{ port: number; close: () => Promise<void> }> {
  const server: Server = createServer((_, response) => response.writeHead(200).end('{}'));
  server.on('upgrade', onUpgrade);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A text as a WebSocket carries it: in UTF-8, which has no halves of surrogate pairs. */
export const asReceived = (text: string): string => Buffer.from(text).toString('utf8');

/** One end of a WebSocket that says whatever it is told to. */
export class RawSocket {
  /** Text messages that came, oldest first. */
  readonly messages: string[] = [];
  /** Binary messages that came, oldest first. */
  readonly frames: Uint8Array[] = [];
  /** The close code, once it is down. */
  readonly closed: Promise<number>;
  #arrived: () => void = () => {};

  constructor(readonly ws: WebSocket) {
    ws.on('error', () => {});
    ws.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.frames.push(data);
      else this.messages.push(data.toString('utf8'));
      this.#arrived();
    });
    this.closed = new Promise((resolve) =>
      ws.once('close', (code) => {
        resolve(code);
        this.#arrived();
      }),
    );
  }

  get isOpen(): boolean {
    return this.ws.readyState === WebSocket.OPEN;
  }

  send(input: Uint8Array | string): void {
    this.ws.send(input, { binary: typeof input !== 'string' });
  }

  /** Waits until `condition` holds, looking again whenever something arrives or the socket goes down. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const met = async (): Promise<void> => {
      while (!condition()) await new Promise<void>((resolve) => (this.#arrived = resolve));
    };
    await within(WAIT_MS, what, met());
  }

  /** Waits for the next message of this type, and drops all that came up to it. */
  async next(type: string): Promise<void> {
    let found = -1;
    await this.until(`${type} (or the end)`, () => {
      found = this.messages.findIndex((text) => (JSON.parse(text) as { type?: unknown }).type === type);
      return found >= 0 || this.ws.readyState === WebSocket.CLOSED;
    });
    if (found < 0) throw new Error(`the connection ended before ${type} came`);
    this.messages.splice(0, found + 1);
  }

  /** Waits for the answer to a WebSocket ping, or for the end: everything sent before it has arrived then. */
  async settle(): Promise<void> {
    if (!this.isOpen) return;
    const pong = new Promise<void>((resolve) => this.ws.once('pong', () => resolve()));
    this.ws.ping();
    await within(WAIT_MS, 'a pong', Promise.race([pong, this.closed]));
  }

  async close(): Promise<void> {
    this.ws.close(1000);
    await within(WAIT_MS, 'the socket to close', this.closed);
  }
}
