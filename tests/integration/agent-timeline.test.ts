import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Platform } from '@streamspace/agent-core';
import { memoryHost, memoryPlatform } from '@streamspace/agent-core/testing';
import { builtInDesktopTemplate, localPlatform } from '@streamspace/platform-local';
import { connectRfb, type RfbClient } from '@streamspace/rfb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commander, newCommand } from './support/command.js';
import { hubAndAgent } from './support/hub-and-agent.js';

let stage: Awaited<ReturnType<typeof hubAndAgent>>;
let folder: string;
const platforms: Platform[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'streamspace-timeline-'));
  stage = await hubAndAgent({ sweepIntervalMs: 15 });
});
afterEach(async () => {
  await stage.close();
  for (const platform of platforms.splice(0)) await platform.close?.();
  await rm(folder, { recursive: true, force: true });
});

const told = (kind?: string) =>
  stage.events.filter(
    (event) => event.type === 'session_event' && (kind === undefined || event.kind === kind),
  );

async function startSession(issue: ReturnType<typeof commander>['issue'], sessionId: string): Promise<void> {
  await issue(
    newCommand('start_session', sessionId, {
      payload: { user: 'someone', template: 'any', templateManifest: { ...builtInDesktopTemplate } },
    }),
  );
}

async function view(role: 'control' | 'view'): Promise<RfbClient> {
  const channel = await stage.hub.openStream({
    agentId: 'agent-1',
    sessionId: 'desk-1',
    policy: { role, clipboard: role === 'control' ? 'both' : 'none' },
  });
  const viewer = await connectRfb(channel);
  await viewer.request(false);
  await viewer.nextUpdate();
  return viewer;
}

describe('the timeline of a session', () => {
  it('has idle and active by what its viewers do; whoever only watches can do nothing', async () => {
    const platform = localPlatform({ dataFolder: folder, xDesktops: false });
    platforms.push(platform);
    const { agent } = stage.startAgent({ platform, idleAfterMs: 250 });
    const { issue, outcomes } = commander(stage);
    await startSession(issue, 'desk-1');
    await expect.poll(() => outcomes.size).toBe(1);
    const [worker, watcher] = [await view('control'), await view('view')];
    await expect.poll(() => told('idle')).toHaveLength(1);

    for (let x = 0; x < 50; x++) await watcher.pointer(0, x, x);
    await watcher.key(true, 0x61);
    await watcher.sendCutText('pasted');
    // What is asked for behind them is answered, so they have arrived by then.
    await watcher.request(false);
    await watcher.nextUpdate();
    expect(told('active')).toEqual([]);

    await worker.pointer(0, 10, 10);
    await expect.poll(() => told('active')).toHaveLength(1);
    await expect.poll(() => told('idle')).toHaveLength(2);
    expect(told('idle')[1]).toMatchObject({ generation: 1, data: { viewers: 2 } });
    await watcher.close();
    await worker.close();
    await expect.poll(() => agent.metrics().viewerMessagesDropped).toBe(52);
    await expect.poll(() => agent.metrics().streams).toBe(0);
    expect(agent.metrics().bytesToViewers).toBeGreaterThan(1_000);
  });

  it('has why a desktop ended, which is a change of its status as well', async () => {
    const host = memoryHost();
    stage.startAgent({ platform: memoryPlatform({ host }) });
    const { issue, outcomes } = commander(stage);
    await startSession(issue, 'desk-1');
    await expect.poll(() => outcomes.size).toBe(1);
    host.crash('desk-1');
    await expect.poll(() => told('exited')).toHaveLength(1);
    const status = stage.events.find(({ type }) => type === 'session_status');
    expect(status).toMatchObject({ sessionId: 'desk-1', generation: 1, state: 'failed' });
    expect(told('exited')[0]).toMatchObject({ data: { state: 'failed' } });
    expect((told('exited')[0] as { message: string }).message).not.toBe('');
  });

  it('has what happened while the agent was cut off', async () => {
    const host = memoryHost();
    const platform = memoryPlatform({ host });
    const { agent, events } = stage.startAgent({ platform, reconnect: { first: 300, longest: 300 } });
    const { issue, outcomes } = commander(stage);
    await startSession(issue, 'desk-1');
    await expect.poll(() => outcomes.size).toBe(1);
    stage.cut();
    await expect.poll(() => events.map(({ type }) => type)).toContain('disconnected');
    host.crash('desk-1');
    await expect.poll(() => agent.status).toBe('connected');
    await expect.poll(() => told('exited')).toHaveLength(1);
    const types = stage.events.map(({ type }) => type);
    // Before the inventory, which knows that it is gone and not why.
    expect(types.indexOf('session_status')).toBeLessThan(types.lastIndexOf('inventory'));
  });

  it('has what is found out by asking, where the platform cannot tell by itself', async () => {
    const host = memoryHost();
    const platform: Platform = memoryPlatform({ host });
    Object.assign(platform, { watch: undefined });
    const list = platform.list.bind(platform);
    let gone = false;
    platform.list = async (signal) => (gone ? [] : list(signal));
    stage.startAgent({ platform, pollIntervalMs: 20 });
    const { issue, outcomes } = commander(stage);
    await startSession(issue, 'desk-1');
    await startSession(issue, 'desk-2');
    await expect.poll(() => outcomes.size).toBe(2);
    host.crash('desk-1');
    await expect.poll(() => told('exited')).toMatchObject([{ sessionId: 'desk-1' }]);
    const before = stage.events.filter(({ type }) => type === 'inventory').length;
    gone = true;
    await expect
      .poll(() => told('exited')[1])
      .toMatchObject({ sessionId: 'desk-2', data: { state: 'gone' } });
    // The control plane decides what becomes of it, and is told at once.
    await expect
      .poll(() => stage.events.filter(({ type }) => type === 'inventory').length)
      .toBeGreaterThan(before);
    expect(stage.events.filter(({ type }) => type === 'session_status')).toHaveLength(1);
  });

  it('has what a session uses, once in a while', async () => {
    const platform: Platform = memoryPlatform({ host: memoryHost() });
    Object.assign(platform, { watch: undefined });
    let lists = 0;
    const list = platform.list.bind(platform);
    platform.list = async (signal) => {
      lists += 1;
      const usage = { cpuSeconds: lists, memoryBytes: 3 * 2 ** 20 };
      return (await list(signal)).map((session) => ({ ...session, usage }));
    };
    stage.startAgent({ platform, pollIntervalMs: 5, usageIntervalMs: 60_000 });
    const { issue } = commander(stage);
    await startSession(issue, 'desk-1');
    await expect.poll(() => told('usage')).toHaveLength(1);
    const seen = lists;
    await expect.poll(() => lists).toBeGreaterThan(seen + 10);
    expect(told('usage')).toHaveLength(1);
    expect(told('usage')[0]).toMatchObject({ data: { memoryBytes: 3 * 2 ** 20 } });
  });
});
