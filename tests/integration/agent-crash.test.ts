import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NewCommand } from '@streamspace/hub';
import { afterEach, describe, expect, it } from 'vitest';
import { commander, newCommand } from './support/command.js';
import { hubAndAgent, KEY } from './support/hub-and-agent.js';
import type { MortalAgentOrders } from './support/mortal-agent.js';
import {
  CHANGES,
  callsIn,
  effectsIn,
  recordedPlatform,
  type ChangeName,
} from './support/recorded-platform.js';

/** What a session has to go through before a change can be asked for. */
const BEFORE: Record<ChangeName, readonly ChangeName[]> = {
  start: [],
  stop: ['start'],
  hibernate: ['start'],
  wake: ['start', 'hibernate'],
};
const STATE: Record<ChangeName, string> = {
  start: 'running',
  stop: 'terminated',
  hibernate: 'hibernated',
  wake: 'running',
};
const MOMENTS = [
  'before the effect',
  'after the effect',
  'before the report',
  'before the report is stored',
] as const;
const RUNS = CHANGES.flatMap((what) => MOMENTS.map((moment) => ({ what, moment })));

let stage: Awaited<ReturnType<typeof hubAndAgent>>;
let folder: string;
let child: ChildProcess | undefined;
afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await stage.close();
  await rm(folder, { recursive: true, force: true });
});

function startMortal(orders: MortalAgentOrders): ChildProcess {
  return spawn(
    process.execPath,
    [
      '--conditions=@streamspace/source',
      '--import',
      'tsx',
      fileURLToPath(new URL('support/mortal-agent.ts', import.meta.url)),
      JSON.stringify(orders),
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
}

describe('an agent that is killed while it carries out a command', () => {
  it.each(RUNS)('leaves $what, killed $moment, to the next one, which does nothing twice', async (run) => {
    const { what, moment } = run;
    stage = await hubAndAgent({ sweepIntervalMs: 15 });
    const { issue, outcomes } = commander(stage);
    folder = await mkdtemp(join(tmpdir(), 'streamspace-crash-'));
    const stored = moment === 'before the report is stored';
    const orders: MortalAgentOrders = {
      url: `ws://127.0.0.1:${stage.port}`,
      apiKey: KEY,
      folder,
      dieAt: stored ? 'never' : moment,
      during: what,
    };
    const first = startMortal(orders);
    child = first;
    const exited = once(first, 'exit');

    const command = (name: ChangeName): NewCommand => newCommand(`${name}_session`, 'desk-1');
    for (const earlier of BEFORE[what]) {
      const { commandId } = await issue(command(earlier));
      await expect.poll(() => outcomes.has(commandId), { timeout: 20_000 }).toBe(true);
    }
    const killed = command(what);
    if (stored) {
      const finish = stage.commands.finish.bind(stage.commands);
      stage.commands.finish = async (commandId, ...rest) => {
        if (commandId === killed.commandId && first.signalCode === null) {
          first.kill('SIGKILL');
          await exited;
          throw new Error('away');
        }
        return finish(commandId, ...rest);
      };
    }
    await issue(killed);
    expect((await exited)[1]).toBe('SIGKILL');
    const wasDone = moment !== 'before the effect';
    const history = BEFORE[what].map((name) => `${name} desk-1 1`);
    expect(effectsIn(folder)).toEqual(wasDone ? [...history, `${what} desk-1 1`] : history);
    expect(outcomes.has(killed.commandId)).toBe(false);

    const { agent } = stage.startAgent({ platform: recordedPlatform({ folder, agent: 'next' }) });
    await expect.poll(() => outcomes.get(killed.commandId)?.state).toBe('completed');
    expect(outcomes.get(killed.commandId)).toMatchObject({
      result: { sessionId: 'desk-1', generation: 1, state: STATE[what] },
    });
    expect(effectsIn(folder)).toEqual([...history, `${what} desk-1 1`]);
    // A stop is passed on in any case, since only the platform knows of remains that it does not list.
    const asked = callsIn(folder).filter((call) => call.startsWith('next'));
    expect(asked).toEqual(wasDone && what !== 'stop' ? [] : [`next ${what} desk-1`]);
    expect(agent.metrics().commandsAdopted).toBe(wasDone && what !== 'stop' ? 1 : 0);
    if (wasDone && what !== 'stop')
      await expect
        .poll(() => stage.events.filter(({ type }) => type === 'session_event'))
        .toMatchObject([{ sessionId: 'desk-1', kind: 'adopted', generation: 1 }]);
  });
});
