import { createAgent, type AgentHealth } from '@streamspace/agent-core';
import { memoryPlatform } from '@streamspace/agent-core/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { startHealthServer, type HealthServer } from '../src/health-server.js';

let server: HealthServer;
afterEach(() => server[Symbol.asyncDispose]());

async function probe(health: AgentHealth): Promise<(path: string, method?: string) => Promise<Response>> {
  const agent = createAgent({
    agentId: 'local-1',
    controlPlaneUrl: 'ws://127.0.0.1:1',
    apiKey: 'k',
    platform: memoryPlatform(),
  });
  server = await startHealthServer({
    agent: { health: () => health, metrics: () => agent.metrics() },
    host: '127.0.0.1',
    port: 0,
  });
  return (path, method = 'GET') => fetch(`http://127.0.0.1:${server.port}${path}`, { method });
}

describe('the probes of an agent', () => {
  it('answer 200 while it is connected', async () => {
    const ask = await probe({ status: 'connected', healthy: true, ready: true, epoch: 7, silentMs: 12 });
    const health = await ask('/health');
    expect([health.status, await health.json()]).toEqual([
      200,
      { status: 'healthy', agent: 'connected', healthy: true, ready: true, epoch: 7, silentMs: 12 },
    ]);
    expect((await ask('/ready?verbose')).status).toBe(200);
  });

  it('say why it is not ready, which is no reason to start it again', async () => {
    const reason = 'The agent has no connection to the control plane.';
    const ask = await probe({ status: 'connecting', healthy: true, ready: false, reason });
    expect((await ask('/health')).status).toBe(200);
    const ready = await ask('/ready');
    expect([ready.status, await ready.json()]).toMatchObject([503, { status: 'not ready', reason }]);
  });

  it('answer 503 once it has stopped, 404 and 405 to what is not there', async () => {
    const ask = await probe({ status: 'stopped', healthy: false, ready: false, reason: 'It has stopped.' });
    expect((await ask('/health')).status).toBe(503);
    expect((await ask('/secrets')).status).toBe(404);
    expect((await ask('/health', 'POST')).status).toBe(405);
  });

  it('give metrics in the format of Prometheus, each with its type', async () => {
    const ask = await probe({ status: 'connected', healthy: true, ready: true });
    const text = await (await ask('/metrics')).text();
    expect(text).toContain('# TYPE streamspace_agent_commands_received_total counter\n');
    expect(text).toContain('\nstreamspace_agent_commands_received_total 0\n');
    expect(text).toContain('\nstreamspace_agent_ready 1\n');
    expect(text).toContain('\nstreamspace_agent_sessions{state="running"} 0\n');
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(
        /^(# (HELP|TYPE) streamspace_agent_|streamspace_agent_\w+(\{\w+="[^"]*"\})? [\d.]+$)/,
      );
  });
});
