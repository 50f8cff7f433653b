import { afterEach, describe, expect, it } from 'vitest';
import { commander, newCommand } from './support/command.js';
import { cutOffProxy, type CutOffProxy } from './support/cut-off-proxy.js';
import { hubAndAgent } from './support/hub-and-agent.js';

/** A minute is six heartbeats of ten seconds; here a heartbeat is this long, in ms, and every other time is scaled as well. */
const HEARTBEAT_MS = 150;
const MINUTE_MS = 6 * HEARTBEAT_MS;

let stage: Awaited<ReturnType<typeof hubAndAgent>>;
let path: CutOffProxy;
afterEach(async () => {
  await stage.close();
  await path[Symbol.asyncDispose]();
});

describe('an agent that is cut off for a minute', () => {
  it('carries out each of ten commands once, in the order of their sessions', async () => {
    stage = await hubAndAgent({
      heartbeatIntervalMs: HEARTBEAT_MS,
      heartbeatTimeoutMs: 3 * HEARTBEAT_MS,
      ackTimeoutMs: HEARTBEAT_MS,
      sweepIntervalMs: 15,
    });
    path = await cutOffProxy(stage.port);
    const { agent, platform, events } = stage.startAgent({
      controlPlaneUrl: `ws://127.0.0.1:${path.port}`,
      idleAfterMs: 0,
    });
    const { issue, outcomes } = commander(stage);
    await expect.poll(() => agent.status).toBe('connected');

    const running = await issue(newCommand('start_session', 'desk-d'));
    await expect.poll(() => outcomes.get(running.commandId)?.state).toBe('completed');
    // One is being carried out when the link dies: its report finds no way.
    let go = (): void => undefined;
    platform.before = (what, sessionId) =>
      what === 'start' && sessionId === 'desk-a'
        ? new Promise((resolve) => (go = resolve))
        : Promise.resolve();
    const first = await issue(newCommand('start_session', 'desk-a'));
    await expect.poll(() => agent.metrics().commandsActing).toBe(1);
    const cutAt = performance.now();
    path.cut();
    go();
    const ten = [
      newCommand('hibernate_session', 'desk-a'),
      newCommand('start_session', 'desk-b'),
      newCommand('wake_session', 'desk-a'),
      newCommand('hibernate_session', 'desk-b'),
      newCommand('start_session', 'desk-c'),
      newCommand('hibernate_session', 'desk-a'),
      newCommand('wake_session', 'desk-b'),
      newCommand('wake_session', 'desk-a'),
      newCommand('stop_session', 'desk-d'),
      newCommand('hibernate_session', 'desk-c'),
    ];
    for (const command of ten) await issue(command);
    await expect.poll(() => platform.effects).toEqual(['start desk-d', 'start desk-a']);
    // Both ends find out by themselves, and the rest of the minute passes.
    await expect.poll(() => stage.events.map(({ type }) => type)).toContain('agent_offline');
    await expect.poll(() => events.map(({ type }) => type)).toContain('disconnected');
    await expect.poll(() => performance.now() - cutAt).toBeGreaterThan(MINUTE_MS);
    expect(platform.effects).toEqual(['start desk-d', 'start desk-a']);
    expect(outcomes.size).toBe(1);

    path.heal();
    await expect.poll(() => outcomes.size, { timeout: 15_000 }).toBe(12);
    const ofSession = (name: string) => platform.effects.filter((effect) => effect.endsWith(name));
    expect(ofSession('desk-a')).toEqual([
      'start desk-a',
      'hibernate desk-a',
      'wake desk-a',
      'hibernate desk-a',
      'wake desk-a',
    ]);
    expect(ofSession('desk-b')).toEqual(['start desk-b', 'hibernate desk-b', 'wake desk-b']);
    expect(ofSession('desk-c')).toEqual(['start desk-c', 'hibernate desk-c']);
    expect(ofSession('desk-d')).toEqual(['start desk-d', 'stop desk-d']);
    for (const { commandId } of [first, ...ten]) expect(outcomes.get(commandId)?.state).toBe('completed');
    expect(agent.metrics()).toMatchObject({ commandsFailed: {}, commandsActing: 0, commandsWaiting: 0 });
  });
});
