import { createServer, type Server } from 'node:http';
import net from 'node:net';
import { Duplex } from 'node:stream';
import type { SimProcess, VirtualClock } from './virtual-clock.js';

export interface NetworkOptions {
  clock: VirtualClock;
  /** How long the next piece of data is under way, in ms. */
  latency: () => number;
}

/** One end of a connection. Looks like a `net.Socket` as far as `http` and `ws` ask. */
class SimSocket extends Duplex {
  readonly connecting = false;
  #peer: SimSocket | undefined;
  /** When what was sent last arrives: what is sent later does not overtake it. */
  #arrivesAt = 0;
  #cut = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #network: NetworkOptions;

  constructor(
    network: NetworkOptions,
    readonly owner: SimProcess | undefined,
  ) {
    super({ allowHalfOpen: false });
    this.#network = network;
  }

  join(peer: SimSocket): void {
    this.#peer = peer;
  }

  /** What is sent before the connection is there arrives after that. */
  holdUntil(at: number): void {
    this.#arrivesAt = at;
  }

  /** For the time of the handshake, so activity does not extend it. */
  setTimeout(ms: number): this {
    clearTimeout(this.#timer);
    if (ms > 0) this.#timer = setTimeout(() => this.emit('timeout'), ms);
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  /** Nothing passes any more in either direction; this end is told, or waits for ever. */
  cut(tell: boolean): void {
    this.#cut = true;
    if (tell) this.fail();
  }

  fail(): void {
    this.#asOwner(() => this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#carry((peer) => peer.push(chunk));
    done();
  }

  override _final(done: (error?: Error) => void): void {
    this.#carry((peer) => peer.push(null));
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    if (error === null || !this.#cut) this.#carry((peer) => peer.destroy());
    done(error);
  }

  #carry(deliver: (peer: SimSocket) => void): void {
    const { clock, latency } = this.#network;
    if (this.#cut) return;
    this.#arrivesAt = Math.max(this.#arrivesAt, clock.now + latency());
    clock.after(this.#arrivesAt - clock.now, () => {
      const peer = this.#peer;
      if (peer && !this.#cut && !peer.#cut && !peer.destroyed) peer.#asOwner(() => deliver(peer));
    });
  }

  #asOwner(work: () => void): void {
    if (this.owner?.alive !== false) this.#network.clock.as(this.owner, work);
  }
}

type Cut = 'both' | 'agent' | 'control_plane';

/**
 * The network between the agent and the control plane, in memory: `net.connect` and `fetch` of this process go to
 * whoever listens here for as long as it is not disposed of. Data of one connection keeps its order.
 */
export class Network implements Disposable {
  #listener: { server: Server; owner: SimProcess } | undefined;
  readonly #links = new Set<{ agent: SimSocket; server: SimSocket }>();
  readonly #options: NetworkOptions;
  readonly #connect = net.connect;
  readonly #fetch = globalThis.fetch;

  constructor(options: NetworkOptions) {
    this.#options = options;
    net.connect = ((options: { timeout?: number }) =>
      this.#dial(options.timeout ?? 0)) as unknown as typeof net.connect;
    globalThis.fetch = () => this.#register();
  }

  /** The control plane takes connections from now on. */
  listen(owner: SimProcess, upgraded: (server: Server) => void): void {
    const server = createServer();
    upgraded(server);
    this.#listener = { server, owner };
  }

  /** A process was killed: its sockets are reset, as the kernel does. */
  killed(owner: SimProcess): void {
    if (this.#listener?.owner === owner) this.#listener = undefined;
    for (const { agent, server } of this.#links) {
      if (agent.owner === owner) this.#reset(server);
      if (server.owner === owner) this.#reset(agent);
    }
  }

  /** Breaks every connection. Who is not told holds a dead one until it hears nothing for too long. */
  cut(told: Cut): void {
    for (const { agent, server } of this.#links) {
      agent.cut(told !== 'control_plane');
      server.cut(told !== 'agent');
    }
    this.#links.clear();
  }

  #reset(end: SimSocket): void {
    this.#options.clock.after(this.#options.latency(), () => {
      if (!end.destroyed) end.fail();
    });
  }

  #dial(timeoutMs: number): SimSocket {
    const { clock, latency } = this.#options;
    const agent = new SimSocket(this.#options, clock.current);
    agent.setTimeout(timeoutMs);
    const underWay = latency();
    agent.holdUntil(clock.now + underWay);
    clock.after(underWay, () => {
      if (agent.owner?.alive === false || agent.destroyed) return;
      const listener = this.#listener;
      if (!listener) {
        clock.as(agent.owner, () =>
          agent.destroy(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })),
        );
        return;
      }
      const server = new SimSocket(this.#options, listener.owner);
      agent.join(server);
      server.join(agent);
      const link = { agent, server };
      this.#links.add(link);
      server.once('close', () => this.#links.delete(link));
      clock.as(listener.owner, () => listener.server.emit('connection', server));
      clock.as(agent.owner, () => agent.emit('connect'));
    });
    return agent;
  }

  /** Every agent is known. */
  async #register(): Promise<Response> {
    await this.#options.clock.sleep(this.#options.latency());
    if (!this.#listener) throw new TypeError('fetch failed');
    return { ok: true, arrayBuffer: async () => new ArrayBuffer(0) } as unknown as Response;
  }

  [Symbol.dispose](): void {
    net.connect = this.#connect;
    globalThis.fetch = this.#fetch;
  }
}
