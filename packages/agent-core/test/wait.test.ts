import { describe, expect, it } from 'vitest';
import { agentEndpoints } from '../src/endpoints.js';
import { Backoff, pause } from '../src/wait.js';

describe('pauses between attempts', () => {
  it('are random below a bound that doubles up to the longest', () => {
    const backoff = new Backoff({ first: 100, longest: 350, random: () => 1 });
    expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([100, 200, 350, 350]);
    backoff.reset();
    expect(backoff.next()).toBe(100);
    expect(new Backoff({ first: 100, longest: 350, random: () => 0 }).next()).toBe(0);
  });

  it('end with the signal', async () => {
    const stop = new AbortController();
    const paused = pause(60_000, stop.signal);
    stop.abort();
    await paused;
    await pause(60_000, stop.signal);
  });
});

describe('the endpoints of a control plane', () => {
  it.each([
    [
      'ws://host:8081',
      'http://host:8081/api/v1/agents/register',
      'ws://host:8081/api/v1/agents/connect?agent_id=a%20b',
    ],
    [
      'https://host/vdi/',
      'https://host/vdi/api/v1/agents/register',
      'wss://host/vdi/api/v1/agents/connect?agent_id=a%20b',
    ],
  ])('of %s keep its path', (base, register, connect) => {
    expect(agentEndpoints(base, 'a b')).toEqual({ register, connect });
  });
});
