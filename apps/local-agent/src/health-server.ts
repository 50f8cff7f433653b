import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Agent, AgentHealth } from '@streamspace/agent-core';
import { prometheusText } from './prometheus.js';

export interface HealthServerOptions {
  readonly agent: Pick<Agent, 'health' | 'metrics'>;
  readonly host: string;
  /** 0 is any free one. */
  readonly port: number;
}

export interface HealthServer extends AsyncDisposable {
  readonly port: number;
}

/**
 * Answers probes: `/health` (200 while starting the process again would not help), `/ready` (200 while connected, or
 * standing by), `/metrics`. It takes GET and HEAD, keeps no connection, and says nothing that is secret.
 */
export async function startHealthServer({ agent, host, port }: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(response, 405, 'text/plain', 'allowed are GET and HEAD\n');
    const health = agent.health();
    switch ((request.url ?? '').split('?')[0]) {
      case '/health':
        return probe(response, health, health.healthy, health.healthy ? 'healthy' : 'unhealthy');
      case '/ready':
        return probe(response, health, health.ready, health.ready ? 'ready' : 'not ready');
      case '/metrics':
        return answer(response, 200, 'text/plain; version=0.0.4', prometheusText(agent.metrics(), health));
      default:
        return answer(response, 404, 'text/plain', 'there are /health, /ready and /metrics\n');
    }
  });
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** How long a probe may take to ask, in ms. */
const REQUEST_TIMEOUT_MS = 5_000;
/** Probes at once; more are not taken. */
const CONNECTIONS = 64;
const JSON_TYPE = 'application/json';

function probe(response: ServerResponse, health: AgentHealth, isGood: boolean, status: string): void {
  const body = `${JSON.stringify({ ...health, status, agent: health.status })}\n`;
  answer(response, isGood ? 200 : 503, JSON_TYPE, body);
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', connection: 'close' });
  response.end(body);
}
