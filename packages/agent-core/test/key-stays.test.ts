import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAgent, type AgentEvent } from '../src/index.js';
import { memoryPlatform } from '../src/testing/index.js';
import { fakeControlPlane } from './control-plane.js';

const agentWith = (controlPlaneUrl: string, more: { allowInsecureControlPlane?: boolean } = {}) => {
  const events: AgentEvent[] = [];
  const agent = createAgent({
    agentId: 'agent-1',
    controlPlaneUrl,
    apiKey: 'secret-key',
    platform: memoryPlatform(),
    reconnect: { first: 1, longest: 20 },
    onEvent: (event) => events.push(event),
    ...more,
  });
  return { agent, events };
};

describe('the key of an agent that is redirected', () => {
  let controlPlane: Awaited<ReturnType<typeof fakeControlPlane>>;
  let elsewhere: Server;
  let target: string;
  let requests: number;
  let keys: number;
  const stop = { now: async (): Promise<void> => undefined };

  beforeEach(async () => {
    controlPlane = await fakeControlPlane();
    [requests, keys] = [0, 0];
    elsewhere = createServer((request, response) => {
      requests += 1;
      if (request.headers['x-agent-api-key'] !== undefined) keys += 1;
      response.end('{}');
    });
    elsewhere.on('upgrade', (request, socket) => {
      requests += 1;
      if (request.headers['x-agent-api-key'] !== undefined) keys += 1;
      socket.destroy();
    });
    elsewhere.listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    target = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    await stop.now();
    await controlPlane.close();
    elsewhere.closeAllConnections();
    await new Promise((resolve) => elsewhere.close(resolve));
  });

  /** Why it was disconnected, twice: it went on trying. */
  const reasons = async (): Promise<string[]> => {
    const { agent, events } = agentWith(controlPlane.url);
    const ending = new AbortController();
    const running = agent.run(ending.signal);
    stop.now = async () => {
      ending.abort();
      await running;
    };
    const found = (): string[] =>
      events.flatMap((event) => (event.type === 'disconnected' ? [event.reason] : []));
    await expect.poll(() => found().length).toBeGreaterThan(1);
    return found();
  };
  const sentence = (what: string, status: number, path: string): RegExp =>
    new RegExp(
      `the ${what} was redirected \\(${status}\\) to ${target}${path};.* set controlPlaneUrl to it, without the path from /api/v1 on`,
    );

  it.each([301, 302, 303, 307, 308])('stays here when the registration is (%i)', async (status) => {
    controlPlane.answerRegistrations((_request, response) => {
      response.writeHead(status, { location: `${target}/api/v1/agents/register?token=t` }).end();
    });
    expect((await reasons())[0]).toMatch(sentence('registration', status, '/api/v1/agents/register'));
    expect({ requests, keys }).toEqual({ requests: 0, keys: 0 });
  });

  it('stays here when the WebSocket upgrade is', async () => {
    controlPlane.answerUpgrades(
      () => `HTTP/1.1 302 Found\r\nLocation: ${target}/elsewhere\r\nContent-Length: 0\r\n\r\n`,
    );
    expect((await reasons())[0]).toMatch(sentence('WebSocket upgrade', 302, '/elsewhere'));
    expect({ requests, keys }).toEqual({ requests: 0, keys: 0 });
  });
});

describe('the key of an agent whose control plane is reached unencrypted', () => {
  it.each([
    'ws://desk.example',
    'http://desk.example:8080/vdi',
    'ws://10.0.0.7',
    'ws://streamspace.svc.cluster.local',
    'ws://localhost.example',
    'ws://desk.localhost',
    'ws://localhost.',
    'ws://127.0.0.1.example',
    'ws://[fd00::1]',
    'ws://0.0.0.0',
  ])('is not sent to %s unless that is allowed', (url) => {
    const { hostname } = new URL(url);
    expect(() => agentWith(url)).toThrow(
      expect.objectContaining({
        code: 'insecure_url',
        shouldRetry: false,
        message: expect.stringContaining(`a wss or https URL for ${hostname}`) as string,
      }),
    );
    expect(() => agentWith(url)).toThrow('allowInsecureControlPlane: true');
    expect(() => agentWith(url, { allowInsecureControlPlane: true })).not.toThrow();
  });

  it.each([
    'ws://127.0.0.1:8080',
    'http://127.8.9.10',
    'ws://[::1]:8080',
    'ws://localhost',
    'http://LOCALHOST:80',
    'wss://desk.example',
    'https://10.0.0.7',
  ])('may be sent to %s', (url) => {
    expect(() => agentWith(url)).not.toThrow();
  });

  it('is not in what is said of it', () => {
    expect(() => agentWith('ws://ada:secret-key@desk.example')).toThrow(/^(?!.*secret-key)/s);
  });
});
