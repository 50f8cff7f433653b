import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createAgent, type AgentEvent, type AgentOptions } from '@streamspace/agent-core';
import { memoryPlatform } from '@streamspace/agent-core/testing';
import {
  createAgentHub,
  memoryCommandQueue,
  memoryOwnership,
  type AgentHubOptions,
  type HubEvent,
} from '@streamspace/hub';

export const KEY = 'k'.repeat(64);

/** A hub behind a bare HTTP server that answers registrations, and agents that dial it over real sockets. */
export async function hubAndAgent(hubOptions: Partial<AgentHubOptions> = {}) {
  const commands = memoryCommandQueue();
  const events: HubEvent[] = [];
  const errors: string[] = [];
  const hub = createAgentHub({
    podName: 'pod-a',
    ownership: memoryOwnership(),
    commands,
    onEvent: (event) => void events.push(event),
    onError: (error, where) => errors.push(`${where}: ${String(error)}`),
    ...hubOptions,
  });
  const sockets = new Set<Duplex>();
  const server: Server = createServer((request, response) => {
    const known = request.headers['x-agent-api-key'] === KEY;
    const body = known ? {} : { code: 'agent_key_invalid', title: 'Agent key invalid' };
    response.writeHead(known ? 200 : 403, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.on('upgrade', (request, socket, head) => {
    const agentId = new URL(request.url ?? '/', 'http://local').searchParams.get('agent_id') ?? '';
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    hub.handleUpgrade(request, socket, head, agentId);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  const stops: (() => Promise<void>)[] = [];
  const startAgent = (more: Partial<AgentOptions> = {}) => {
    const platform = memoryPlatform();
    // Its desktops echo, which is no RFB: agents hold `vnc` to a policy, so that the bytes here need a port of their own.
    const openStream = platform.openStream.bind(platform);
    platform.openStream = (sessionId, port, signal) =>
      openStream(sessionId, port === 'echo' ? 'vnc' : port, signal);
    const agentEvents: AgentEvent[] = [];
    const stop = new AbortController();
    const agent = createAgent({
      agentId: 'agent-1',
      controlPlaneUrl: `ws://127.0.0.1:${port}`,
      apiKey: KEY,
      platform,
      reconnect: { first: 10, longest: 50 },
      stopTimeoutMs: 1_000,
      onEvent: (event) => agentEvents.push(event),
      onError: (error, where) => errors.push(`${where}: ${String(error)}`),
      ...more,
    });
    const running = agent.run(stop.signal);
    const end = async (): Promise<void> => {
      stop.abort();
      await running.catch(() => undefined);
    };
    stops.push(end);
    return { agent, platform, events: agentEvents, running, stop: end };
  };

  return {
    hub,
    commands,
    events,
    errors,
    port,
    startAgent,
    /** Breaks every agent's TCP connection without a word. */
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    async close(): Promise<void> {
      await Promise.all(stops.map((stop) => stop()));
      await hub[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
