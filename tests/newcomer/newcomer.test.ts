import { once } from 'node:events';
import { existsSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Desk } from './desk.js';
import { prepareMachine, unwritableFolder, type Machine } from './machine.js';
import { StartCommand, until } from './start-command.js';

/** How a first start can be made hard: none of this may matter. */
const HOSTILE = { NODE_ENV: 'production', npm_config_omit: 'dev', npm_config_ignore_scripts: 'true' };
const ANY_PORT = { PORT: '0' };
const ADMIN = ['ada', 'correct horse battery staple'] as const;

/** What a start may take, in ms. The first one installs; how long that takes is npm's and the disk's affair. */
const FIRST_START_MS = 120_000;
const LATER_START_MS = 10_000;

let machine: Machine;
const commands: StartCommand[] = [];

function start(env: Readonly<Record<string, string>> = ANY_PORT, command?: string): StartCommand {
  const made = new StartCommand(machine, env, command);
  commands.push(made);
  return made;
}

/** Runs one that is to refuse, and returns what it printed. */
async function refusal(env: Readonly<Record<string, string>>, command?: string): Promise<string[]> {
  const refused = start(env, command);
  expect(await refused.exited, refused.output).toBe(1);
  return refused.lines;
}

async function gone(command: StartCommand, limitMs: number): Promise<void> {
  await until(
    () => command.processes().length === 0,
    limitMs,
    () => `still there: ${JSON.stringify(command.processes())}\n${command.output}`,
  );
}

beforeAll(() => {
  machine = prepareMachine();
}, 60_000);

afterAll(async () => {
  for (const command of commands) await command.destroy();
  machine[Symbol.dispose]();
}, 60_000);

describe('before anything is installed', () => {
  afterEach(() => expect(existsSync(join(machine.clone, 'node_modules'))).toBe(false));

  it('an older Node says in one line what is needed', async () => {
    const preload = join(machine.clone, '..', 'old-node.cjs');
    writeFileSync(
      preload,
      `Object.defineProperty(process, 'version', { value: 'v18.20.4' });
       Object.defineProperty(process.versions, 'node', { value: '18.20.4' });`,
    );
    for (const script of ['start', 'test', 'build']) {
      const lines = await refusal({}, `node -r ${preload} scripts/${script}.mjs`);
      expect(lines).toEqual([
        expect.stringMatching(/^StreamSpace needs Node 20\.19 or later; this is v18\.20\.4 \(.*\)\. Install/),
      ]);
    }
  });

  it('a missing lock file is named in one line', async () => {
    const path = join(machine.clone, 'package-lock.json');
    renameSync(path, `${path}.away`);
    const lines = await refusal(ANY_PORT);
    renameSync(`${path}.away`, path);
    expect(lines).toEqual([expect.stringMatching(/^ERROR: package-lock\.json is missing .*git checkout/)]);
  });

  it('a port in use is named in one line', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const lines = await refusal({ PORT: String(port) });
    other.close();
    await once(other, 'close');
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^ERROR: PORT=${port}: 127\\.0\\.0\\.1:${port} is in use`)),
    ]);
  });

  it('a port that is none is named in one line', async () => {
    expect(await refusal({ PORT: 'http' })).toEqual([
      expect.stringMatching(/^ERROR: PORT=http: allowed is /),
    ]);
  });

  it('an unwritable data folder is named in one line', async () => {
    const folder = join(unwritableFolder(machine), 'data');
    const lines = await refusal({ ...ANY_PORT, STREAMSPACE_DATA_DIR: folder });
    expect(lines).toEqual([
      expect.stringMatching(
        /^ERROR: STREAMSPACE_DATA_DIR=.*not-writable\/data: not writable \(EACCES\); allowed is/,
      ),
    ]);
  });
});

describe('a newcomer', () => {
  it(
    'types `npm start` and nothing else, whatever the environment, and gets a link to set up a running desktop',
    { timeout: FIRST_START_MS + 30_000 },
    async () => {
      const command = start({ ...HOSTILE, ...ANY_PORT });
      const url = await command.address(FIRST_START_MS);
      console.log(`first start with a warm npm cache: ${command.seconds().toFixed(1)} s`);
      expect(url.pathname).toBe('/setup');
      expect(url.searchParams.get('token')).toMatch(/^\S{20,}$/);
      expect(command.lines.at(-1)).toBe(`Open this: ${url.href}`);
      expect(command.output).toMatch(/^INFO: Connected to database/m);
      expect(command.output).toMatch(/^INFO: Server started on :\d+$/m);
      expect(command.output).toMatch(/^INFO: \[AgentHub\] Agent registered: local \(platform: local/m);

      const desk = new Desk(url);
      expect(await desk.health()).toMatchObject({
        status: 'healthy',
        pod_name: expect.any(String) as string,
      });
      const page = await fetch(url);
      expect(page.status).toBe(200);
      expect(await page.text()).toContain('<!doctype html>');

      await desk.setUp(...ADMIN);
      await desk.createSession('first');
      await desk.running('first');
      expect(command.processes().filter(({ name }) => name === 'node')).toHaveLength(1);
    },
  );

  it('keeps the secrets to himself', () => {
    for (const name of ['jwt-secret', 'agent-key']) {
      expect(statSync(join(machine.clone, '.streamspace', 'secrets', name)).mode & 0o777, name).toBe(0o600);
    }
  });

  it('is told the pid when he starts it a second time', async () => {
    const running = latest();
    const lines = (await refusal(ANY_PORT)).filter((line) => line.startsWith('ERROR'));
    expect(lines).toEqual([
      expect.stringMatching(
        new RegExp(`^ERROR: STREAMSPACE_DATA_DIR=.*: in use by pid ${running.node} on .* since`),
      ),
    ]);
  });

  it('stops it with SIGTERM, and nothing stays behind', async () => {
    const command = latest();
    command.signal('SIGTERM');
    await command.exited;
    await gone(command, 1_000);
    expect(command.lines.at(-1)).toBe('INFO: Stopped');
  });

  it('has everything again within ten seconds, and stops it with Ctrl-C', { timeout: 60_000 }, async () => {
    const command = start();
    await expectEverything(command);
    expect(command.seconds()).toBeLessThan(LATER_START_MS / 1000);
    command.interrupt();
    await command.exited;
    await gone(command, 1_000);
    expect(command.lines.at(-1)).toBe('INFO: Stopped');
  });

  it(
    'loses nothing that was acknowledged when the process is killed with -9',
    { timeout: 60_000 },
    async () => {
      const command = start();
      const desk = await expectEverything(command);
      await desk.createSession('second');
      process.kill(command.node, 'SIGKILL');
      await gone(command, 2_000);

      const after = await expectEverything(start());
      expect((await after.sessions()).map(({ id }) => id).sort()).toEqual(['first', 'second']);
      await after.running('second');
    },
  );

  it('starts again at once when npm is killed with -9', { timeout: 60_000 }, async () => {
    const orphaned = latest();
    const killedAt = performance.now();
    orphaned.signal('SIGKILL');
    const next = start();
    await until(
      () => orphaned.output.includes('Stopping'),
      1_000,
      () => 'the orphan has not noticed',
    );
    await gone(orphaned, 5_000);
    console.log(`an orphan is gone after ${((performance.now() - killedAt) / 1000).toFixed(1)} s`);
    await expectEverything(next);
    next.signal('SIGTERM');
    await next.exited;
    await gone(next, 1_000);
  });
});

function latest(): StartCommand {
  const command = commands.findLast((one) => one.processes().length > 0);
  if (!command) throw new Error('nothing is running');
  return command;
}

/** The account and the first session are there, and its desktop runs. */
async function expectEverything(command: StartCommand): Promise<Desk> {
  const url = await command.address(LATER_START_MS + 10_000);
  console.log(`start: ${command.seconds().toFixed(1)} s`);
  expect(url.pathname).toBe('/');
  const desk = new Desk(url);
  await desk.logIn(...ADMIN);
  await desk.running('first');
  return desk;
}
