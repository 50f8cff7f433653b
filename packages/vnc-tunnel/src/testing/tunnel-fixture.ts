import assert from 'node:assert/strict';
import type { OpenRequest } from '@streamspace/protocol';
import type { ByteChannel } from '../byte-channel.js';
import type { FrameLink } from '../frame-link.js';
import { createTunnel, type Tunnel, type TunnelOptions } from '../tunnel.js';
import { channelPair } from './channel-pair.js';

/** A fresh connection: both of its ends, how to lose it, and how to release it. */
export interface TestConnection {
  a: FrameLink;
  b: FrameLink;
  cut(): void;
  release(): Promise<void>;
}

/** What one test works with; released after it. */
export class TunnelFixture {
  near!: Tunnel;
  far!: Tunnel;
  /** The far side's own ends of what it accepted, by session id. */
  readonly accepted = new Map<string, ByteChannel>();
  readonly #tunnels: Tunnel[] = [];
  #connection: TestConnection | undefined;

  get connection(): TestConnection {
    assert.ok(this.#connection, 'connect() comes first');
    return this.#connection;
  }

  async connect(connect: () => Promise<TestConnection>): Promise<void> {
    this.#connection = await connect();
  }

  async release(): Promise<void> {
    for (const channel of this.accepted.values()) channel.abort();
    this.accepted.clear();
    await Promise.all(this.#tunnels.splice(0).map((tunnel) => tunnel.close()));
    await this.#connection?.release();
    this.#connection = undefined;
  }

  /** A tunnel that is closed after the test. */
  track(options: TunnelOptions): Tunnel {
    const tunnel = createTunnel(options);
    this.#tunnels.push(tunnel);
    return tunnel;
  }

  /** A tunnel on each side; the far one accepts everything into a channel pair. */
  both(farOptions: Partial<TunnelOptions> = {}, nearOptions: Partial<TunnelOptions> = {}): void {
    this.near = this.track({ link: this.connection.a, ...nearOptions });
    this.far = this.track({
      link: this.connection.b,
      onOpen: async (request) => this.accept(request),
      ...farOptions,
    });
  }

  /** A channel to dial for `request`, whose other end is in `accepted`. */
  accept(request: OpenRequest): ByteChannel {
    const [mine, theirs] = channelPair();
    this.accepted.set(request.sessionId, theirs);
    return mine;
  }

  /** A stream and what is behind it on the far side. */
  async open(sessionId = 'desk'): Promise<[ByteChannel, ByteChannel]> {
    const stream = await this.near.open(openRequest(sessionId));
    return [stream, this.accepted.get(sessionId)!];
  }
}

/** A well-formed request; what it names is up to the accepting side. */
export function openRequest(sessionId = 'desk'): OpenRequest {
  return {
    sessionId,
    port: 'vnc',
    policy: { role: 'control', clipboard: 'both' },
    edge: 'pod-1',
    attachment: { agentEpoch: 1, viewerAttach: 1 },
  };
}

/** For `assert.rejects`: an error with this code. */
export const hasCode = (code: string) => (error: unknown) => {
  assert.equal((error as { code?: unknown }).code, code);
  return true;
};
