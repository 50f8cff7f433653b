import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlatformSession } from '@streamspace/agent-core';
import type { Database } from '@streamspace/control-plane';
import { pgDatabase } from '@streamspace/control-plane/pg';
import { Child } from '../support/child.js';
import { freePort } from '../../servers/free-port.js';
import type { Postgres } from '../../servers/postgres.js';
import { socketPlatform } from './socket-platform.js';

/** How long the platform may take to say what it holds, in ms. */
const LIST_LIMIT_MS = 10_000;
/** How long a process may take until it is of use, in ms. Machines that test are busy. */
const START_LIMIT_MS = 60_000;
const AGENT_ID = 'agent-1';

/** The processes of one schedule: the control plane's own program, an agent, and the platform that outlives it. */
export class Stage implements AsyncDisposable {
  controlPlane: Child | undefined;
  agent: Child | undefined;
  #apiKey = '';
  readonly logPath: string;
  readonly base: string;
  /** To look at what the control plane has written. */
  readonly database: Database;
  readonly #folder: string;
  readonly #platform: Child;
  readonly #others: Child[] = [];
  readonly #environment: Readonly<Record<string, string>>;

  private constructor(options: {
    folder: string;
    port: number;
    seed: number;
    server: Postgres;
    name: string;
    database: Database;
  }) {
    const { folder, port, seed, server, name, database } = options;
    this.#folder = folder;
    this.database = database;
    this.base = `http://127.0.0.1:${port}`;
    this.logPath = join(folder, 'effects.log');
    this.#environment = {
      HOST: '127.0.0.1',
      PORT: String(port),
      DB_HOST: server.host,
      DB_PORT: String(server.port),
      DB_NAME: name,
      DB_USER: server.user,
      DB_MAX_OPEN_CONNS: '10',
      JWT_SECRET: 'chaos chaos chaos chaos chaos chaos chaos',
      POD_NAME: 'pod-chaos',
      REPLICA_TIMEOUT: '3s',
      STREAMSPACE_DATA_DIR: join(folder, 'data'),
      AGENT_HEARTBEAT_TIMEOUT: '6s',
    };
    this.#platform = new Child('the platform', 'tests/chaos/processes/platform-main.ts', {
      CHAOS_SOCKET: this.#socket,
      CHAOS_LOG: this.logPath,
      CHAOS_SEED: String(seed),
    });
  }

  static async open(server: Postgres, seed: number): Promise<Stage> {
    const folder = await mkdtemp(join(server.folder, 'stage-'));
    const name = await server.createDatabase();
    const { host, port, user } = server;
    const database = await pgDatabase({ host, port, user, database: name, maxConnections: 2 });
    const stage = new Stage({ folder, port: await freePort(), seed, server, name, database });
    await stage.#platform.printed(/^listening$/m, START_LIMIT_MS);
    return stage;
  }

  get #socket(): string {
    return join(this.#folder, 'platform.sock');
  }

  /** Resolves with the address that it ends its start with; rejects when it was killed first. */
  async startControlPlane(): Promise<URL> {
    this.controlPlane = new Child('the control plane', 'apps/control-plane/src/main.ts', this.#environment);
    const [, address] = await this.controlPlane.printed(/^Open this: (\S+)$/m, START_LIMIT_MS);
    return new URL(address!);
  }

  /** One more start beside the control plane that runs, with these variables set otherwise. */
  secondStart(changes: Readonly<Record<string, string>> = {}): Child {
    const second = new Child('the second start', 'apps/control-plane/src/main.ts', {
      ...this.#environment,
      ...changes,
    });
    this.#others.push(second);
    return second;
  }

  /** The agent gets the key that the control plane issues for it. */
  async enrol(issue: (agentId: string) => Promise<string>): Promise<void> {
    this.#apiKey = await issue(AGENT_ID);
  }

  startAgent(): void {
    this.agent = new Child('the agent', 'tests/chaos/processes/agent-main.ts', {
      CHAOS_AGENT_ID: AGENT_ID,
      CHAOS_CONTROL_PLANE: this.base,
      CHAOS_API_KEY: this.#apiKey,
      CHAOS_SOCKET: this.#socket,
    });
  }

  /** What the platform says that it holds. */
  async held(): Promise<PlatformSession[]> {
    const platform = socketPlatform(this.#socket);
    try {
      return await platform.list(AbortSignal.timeout(LIST_LIMIT_MS));
    } finally {
      await platform.close?.();
    }
  }

  /** Resolves when the agent that runs now is connected. */
  async agentConnected(): Promise<void> {
    await this.agent!.printed(/^connected /m, START_LIMIT_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const children = [this.controlPlane, this.agent, this.#platform, ...this.#others];
    await Promise.all(children.map((child) => child?.kill()));
    await this.database[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
