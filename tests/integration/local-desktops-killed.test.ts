import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Platform } from '@streamspace/agent-core';
import { connectRfb } from '@streamspace/rfb';
import { describe, expect, it } from 'vitest';
import { change, displayOf, hasXDesktops, never, Place, spec } from './support/x-desktops.js';

/** What follows each other, and the state that it asks for. */
const CALLS = [
  ['start', 'running'],
  ['hibernate', 'hibernated'],
  ['wake', 'running'],
  ['stop', undefined],
] as const;
type Call = (typeof CALLS)[number][0];
const ROUNDS = 5;
const SEED = 20;
/** Deaths are spread over nearly all of the time that a call takes. */
const SPREAD = 0.95;

describe.skipIf(!hasXDesktops())('An agent that is killed', () => {
  it(`reaches what was asked for when it is back, and leaks nothing, killed at ${ROUNDS * CALLS.length} moments`, async () => {
    await using place = await Place.make();
    await using agents = new Agents();
    const took = await durations(place, agents);
    const displays = new Set<number>();
    const moments: string[] = [];
    const random = numbers(SEED);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [call, state] of CALLS) {
        const afterMs = ((round + random()) / ROUNDS) * took[call] * SPREAD;
        const finished = await agents.killedDuring(`${place.dataFolder} ${call} one`, afterMs);
        moments.push(`${call} after ${afterMs.toFixed(0)} ms: ${finished ? 'done' : recordOf(place)}`);
        const display = displayIn(place);
        if (display !== undefined) displays.add(display);

        const next = place.agent();
        await next.list(never);
        expect.soft(await servers(place), `servers after ${moments.at(-1)}`).toBeLessThanOrEqual(1);
        // The control plane has no result, and so the command comes again.
        await again(next, call);
        const session = await next.inspect('one', never);
        expect.soft(session?.state, moments.at(-1)).toBe(state);
        if (session) displays.add(displayOf(session));
        if (state === 'running') {
          expect.soft(await servers(place), moments.at(-1)).toBe(1);
          await (await connectRfb(await next.openStream('one', 'vnc', never))).close();
          await writeFile(place.home('one', 'kept'), call);
        } else {
          expect.soft(await place.processes(), moments.at(-1)).toEqual([]);
        }
        if (call !== 'start') expect.soft(existsSync(place.home('one', 'kept'))).toBe(true);
        await next.close?.();
      }
      expect.soft(await place.leftovers([...displays])).toEqual([]);
    }
    expect(place.errors).toEqual([]);
    console.log(moments.join('\n'));
    expect(moments).toHaveLength(20);
    expect(moments.some((moment) => moment.endsWith('not settled'))).toBe(true);
  }, 180_000);
});

async function again(platform: Platform, call: Call): Promise<void> {
  if (call === 'start') await platform.start(spec('one'), change(call), never);
  else await platform[call]('one', change(call), never);
}

/** How long each call takes in an agent that is left alone, in ms. */
async function durations(place: Place, agents: Agents): Promise<Record<Call, number>> {
  const result: Partial<Record<Call, number>> = {};
  for (const [call] of CALLS) result[call] = await agents.timed(`${place.dataFolder} ${call} one`);
  return result as Record<Call, number>;
}

async function servers(place: Place): Promise<number> {
  return (await place.processes('one')).filter((line) => line.includes('Xtigervnc')).length;
}

/** What the agent had written down when it died. */
function recordOf(place: Place): string {
  const record = readRecord(place);
  return record
    ? `${String(record['wanted'])}, ${record['settled'] ? 'settled' : 'not settled'}`
    : 'no record';
}

function displayIn(place: Place): number | undefined {
  return (readRecord(place)?.['x'] as { display?: number } | undefined)?.display;
}

function readRecord(place: Place): Record<string, unknown> | undefined {
  const path = join(place.dataFolder, 'sessions', 'one.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>) : undefined;
}

/** Agents in processes of their own. The next is started ahead of time: that takes longer than what it is to do. */
class Agents implements AsyncDisposable {
  #next = this.#start();

  /** Resolves with whether the call was finished when its agent died. */
  async killedDuring(line: string, afterMs: number): Promise<boolean> {
    const { child, lines } = await this.#give(line);
    let finished = false;
    void lines.next().then(({ value }) => (finished = value === 'done'));
    await pause(afterMs);
    child.kill('SIGKILL');
    await once(child, 'exit');
    return finished;
  }

  async timed(line: string): Promise<number> {
    const { child, lines } = await this.#give(line);
    const startedAt = performance.now();
    expect((await lines.next()).value).toBe('done');
    const took = performance.now() - startedAt;
    child.kill('SIGKILL');
    await once(child, 'exit');
    return took;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#next.child.kill('SIGKILL');
    await once(this.#next.child, 'exit');
  }

  async #give(line: string): Promise<{ child: ChildProcess; lines: AsyncIterator<string> }> {
    const taken = this.#next;
    this.#next = this.#start();
    taken.child.stdin?.write(`${line}\n`);
    expect((await taken.lines.next()).value).toBe('begins');
    return taken;
  }

  #start(): { child: ChildProcess; lines: AsyncIterator<string> } {
    const program = fileURLToPath(new URL('support/local-desktops-agent.ts', import.meta.url));
    const child = spawn(process.execPath, ['--conditions=@streamspace/source', '--import', 'tsx', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return { child, lines: createInterface({ input: child.stdout! })[Symbol.asyncIterator]() };
  }
}

/** Numbers from 0 up to 1 that look random and are the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
