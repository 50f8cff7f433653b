import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAgent, type PlatformSession } from '@streamspace/agent-core';
import { createControlPlane, type ControlPlaneEvent, type Database } from '@streamspace/control-plane';
import express from 'express';
import type { EventOf, Timed } from '../history.js';
import { logCommands } from './command-log.js';
import { recordingPlatform } from './recording-platform.js';
import { until } from './until.js';

const AGENT_ID = 'agent-1';

/** What a request got. */
export interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: { readonly code?: string; readonly state?: string; readonly token?: string };
}

/** A control plane and its agent in this process. */
export interface Plane extends AsyncDisposable {
  readonly events: readonly ControlPlaneEvent[];
  /** What the platform carried out. */
  readonly effects: readonly Timed<EventOf<'effect'>>[];
  /** What the platform holds. */
  held(): Promise<PlatformSession[]>;
  request(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Epochs of the agent's connections that the hub holds. */
  epochs(): number[];
}

/** Timing: an agent that is not heard of for 2 s counts as offline. */
const HUB = {
  heartbeatIntervalMs: 300,
  heartbeatTimeoutMs: 1_000,
  ackTimeoutMs: 1_500,
  sweepIntervalMs: 250,
};

export async function openPlane(database: Database): Promise<Plane> {
  const events: ControlPlaneEvent[] = [];
  const controlPlane = await createControlPlane({
    database,
    podName: 'pod-1',
    jwtSecret: 'chaos chaos chaos chaos chaos chaos chaos',
    templates: [{ name: 'desk', platform: 'memory' }],
    hub: HUB,
    onEvent: (event) => void events.push(event),
  });
  const app = express();
  app.use(controlPlane.router);
  const server = createServer(app);
  controlPlane.attach(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  let token = '';
  const request = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const retryAfter = response.headers.get('retry-after');
    return { status: response.status, retryAfter, body: (await response.json()) as Answer['body'] };
  };
  const setup = await request('POST', '/setup', {
    token: await controlPlane.setup.issueLink(),
    username: 'ada',
    password: 'correct horse battery staple',
  });
  token = setup.body.token!;

  await logCommands(database);
  const { platform, log } = recordingPlatform();
  const stop = new AbortController();
  const running = createAgent({
    agentId: AGENT_ID,
    controlPlaneUrl: `http://127.0.0.1:${port}`,
    apiKey: await controlPlane.agents.issueKey(AGENT_ID),
    platform,
    reconnect: { first: 20, longest: 200 },
  }).run(stop.signal);
  await until(
    () => controlPlane.hub.agents().length === 1,
    10_000,
    () => 'the agent is not connected',
  );
  return {
    events,
    effects: log,
    held: () => platform.list(AbortSignal.timeout(5_000)),
    request,
    epochs: () => controlPlane.hub.agents().map(({ epoch }) => epoch),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await controlPlane[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
