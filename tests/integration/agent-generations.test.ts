import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commander, newCommand } from './support/command.js';
import { hubAndAgent } from './support/hub-and-agent.js';
import { effectsIn, recordedPlatform } from './support/recorded-platform.js';

let stage: Awaited<ReturnType<typeof hubAndAgent>>;
const folders: string[] = [];
beforeEach(async () => {
  stage = await hubAndAgent({ sweepIntervalMs: 15 });
});
afterEach(async () => {
  await stage.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-generations-'));
  folders.push(folder);
  return folder;
}

describe('an older generation of a session', () => {
  it('that comes back with its agent is ended before the newer one is started', async () => {
    const { issue, outcomes } = commander(stage);
    const folder = await newFolder();
    const before = stage.startAgent({ platform: recordedPlatform({ folder, agent: 'first' }) });
    const one = await issue(newCommand('start_session', 'desk-1'));
    await expect.poll(() => outcomes.has(one.commandId)).toBe(true);
    await before.stop();

    const two = await issue(newCommand('start_session', 'desk-1', { generation: 2 }));
    const { agent } = stage.startAgent({ platform: recordedPlatform({ folder, agent: 'next' }) });
    await expect.poll(() => outcomes.get(two.commandId)?.state).toBe('completed');
    expect(effectsIn(folder)).toEqual(['start desk-1 1', 'stop desk-1 2', 'start desk-1 2']);

    // What was under way for the older one comes late.
    const late = [
      await issue(newCommand('start_session', 'desk-1')),
      await issue(newCommand('hibernate_session', 'desk-1')),
      await issue(newCommand('stop_session', 'desk-1')),
    ];
    for (const { commandId } of late)
      await expect
        .poll(() => outcomes.get(commandId))
        .toMatchObject({ state: 'failed', code: 'stale_generation' });
    expect(effectsIn(folder)).toHaveLength(3);
    expect(agent.metrics().commandsFailed).toEqual({ stale_generation: 3 });
  });

  it('that was stopped stays refused though the platform has forgotten it', async () => {
    const { issue, outcomes } = commander(stage);
    const folder = await newFolder();
    stage.startAgent({ platform: recordedPlatform({ folder, agent: 'first' }) });
    for (const [action, generation] of [
      ['start_session', 2],
      ['stop_session', 2],
      ['start_session', 1],
    ] as const) {
      const { commandId } = await issue(newCommand(action, 'desk-1', { generation }));
      await expect.poll(() => outcomes.has(commandId)).toBe(true);
    }
    expect([...outcomes.values()].map(({ state }) => state)).toEqual(['completed', 'completed', 'failed']);
    expect(effectsIn(folder)).toEqual(['start desk-1 2', 'stop desk-1 2']);
  });

  it('that was placed elsewhere meanwhile is ended where it was, and the newer one goes on', async () => {
    const { issue, outcomes } = commander(stage);
    const [here, there] = [await newFolder(), await newFolder()];
    const before = stage.startAgent({ platform: recordedPlatform({ folder: here, agent: 'first' }) });
    const one = await issue(newCommand('start_session', 'desk-1'));
    await expect.poll(() => outcomes.has(one.commandId)).toBe(true);
    await before.stop();
    stage.startAgent({ agentId: 'agent-2', platform: recordedPlatform({ folder: there, agent: 'other' }) });
    const two = await issue(newCommand('start_session', 'desk-1', { agentId: 'agent-2', generation: 2 }));
    await expect.poll(() => outcomes.has(two.commandId)).toBe(true);

    stage.startAgent({ platform: recordedPlatform({ folder: here, agent: 'next' }) });
    const held = () =>
      stage.events.flatMap((event) =>
        event.type === 'inventory' && event.agentId === 'agent-1' ? event.sessions : [],
      );
    await expect.poll(() => held().at(-1)).toMatchObject({ sessionId: 'desk-1', generation: 1 });
    await issue(newCommand('stop_session', 'desk-1'));
    await expect.poll(() => effectsIn(here)).toEqual(['start desk-1 1', 'stop desk-1 1']);
    expect(effectsIn(there)).toEqual(['start desk-1 2']);
  });
});
