import { describe, expect, it } from 'vitest';
import { agentEndpoints } from '../src/endpoints.js';
import { Backoff, pause, withinTime } from '../src/wait.js';

describe('pauses between attempts', () => {
  it('are random below a bound that doubles up to the longest', () => {
    const backoff = new Backoff({ first: 100, longest: 350, random: () => 1 });
    expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([100, 200, 350, 350]);
    expect(new Backoff({ first: 100, longest: 350, random: () => 0 }).next()).toBe(0);
  });

  it('are spread wider after a connection that was good, whatever failed before it', () => {
    const backoff = new Backoff({ first: 250, longest: 15_000, random: () => 1 });
    for (const failures of [0, 10]) {
      for (let i = 0; i < failures; i++) backoff.next();
      backoff.afterGood();
      expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([
        2_000, 4_000, 8_000, 15_000,
      ]);
    }
    const narrow = new Backoff({ first: 250, longest: 500, random: () => 1 });
    narrow.afterGood();
    expect(narrow.next()).toBe(500);
  });

  it('end with the signal', async () => {
    const stop = new AbortController();
    const paused = pause(60_000, stop.signal);
    stop.abort();
    await paused;
    await pause(60_000, stop.signal);
  });
});

describe('a bound on time', () => {
  const late = (): Error => new Error('too late');

  it('holds for what ignores its signal', async () => {
    const never = (): Promise<never> => new Promise(() => undefined);
    await expect(withinTime({ ms: 5, signal: new AbortController().signal, late }, never)).rejects.toThrow(
      'too late',
    );
    const stop = new AbortController();
    const given = withinTime({ ms: 60_000, signal: stop.signal, late }, never);
    stop.abort(new Error('stopped'));
    await expect(given).rejects.toThrow('stopped');
  });

  it('lets what is in time through', async () => {
    const bound = { ms: 60_000, signal: new AbortController().signal, late };
    expect(await withinTime(bound, async () => 'done')).toBe('done');
    await expect(withinTime(bound, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
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
