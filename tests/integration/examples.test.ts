import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient } from '@streamspace/client';
import { afterEach, describe, expect, it } from 'vitest';

let child: ChildProcess | undefined;
let folder: string;
afterEach(async () => {
  if (child && child.exitCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await rm(folder, { recursive: true, force: true });
});

/** Runs an example until it has printed a line for each pattern; resolves with their first groups. */
async function example(name: string, patterns: RegExp[]): Promise<string[]> {
  folder = await mkdtemp(join(tmpdir(), 'streamspace-example-'));
  const running = spawn(
    process.execPath,
    ['--conditions=@streamspace/source', '--import', 'tsx', `examples/${name}/main.ts`],
    { env: { ...process.env, DATA_FOLDER: folder }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  child = running;
  const found = new Map<RegExp, string>();
  for await (const line of createInterface({ input: running.stdout })) {
    for (const pattern of patterns) {
      const match = pattern.exec(line);
      if (match) found.set(pattern, match[1] ?? '');
    }
    if (found.size === patterns.length) return patterns.map((pattern) => found.get(pattern)!);
  }
  throw new Error(`the example ended with ${running.exitCode} before it was ready`);
}

describe('the example embed-in-express', () => {
  it('serves desktops under a path of its own app, and stops when told to', async () => {
    const [health, token] = await example('embed-in-express', [/^Ready: (\S+)/, /^Setup token: (\S+)/]);
    const baseUrl = health!.replace(/\/health$/, '');
    expect(await (await fetch(health!)).json()).toEqual({ status: 'healthy', pod_name: 'my-app' });
    expect(await (await fetch(new URL('/', health))).text()).toBe('my own app');

    const client = createClient({ baseUrl });
    await client.setup.complete({ token: token!, username: 'ada', password: 'a-long-password' });
    const [template] = await client.templates.list();
    const session = await client.sessions.create({ template: template!.name });
    await expect.poll(async () => (await client.sessions.get(session.id)).state).toBe('running');

    child!.kill('SIGTERM');
    const [code] = (await once(child!, 'exit')) as [number];
    expect(code).toBe(0);
  });
});
