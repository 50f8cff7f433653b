import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '@streamspace/client';
import { afterEach, describe, expect, it } from 'vitest';
import { EmbeddedApp } from './support/embedded-app.js';
import { hasXDesktops, Place } from './support/x-desktops.js';

const FREEZER = fileURLToPath(new URL('support/freeze-on-signal.mjs', import.meta.url));
const PASSWORD = 'a-long-password';
/** For a machine that is busy with other tests, in ms. */
const WAIT = { timeout: 120_000 };
const TIMEOUT_MS = 300_000;

const apps: EmbeddedApp[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.stop('SIGKILL');
}, TIMEOUT_MS);

async function start({ dataFolder }: Place): Promise<{ app: EmbeddedApp; url: URL; client: Client }> {
  const app = new EmbeddedApp({ dataFolder, preload: FREEZER });
  apps.push(app);
  const url = new URL(await app.says(/^Open this: (\S+)$/));
  return { app, url, client: createClient({ baseUrl: url.origin }) };
}

/** The X server of a desktop, as `<pid> <program> of <session>`. */
async function serversOf(place: Place, id: string): Promise<string[]> {
  return (await place.processes(id)).filter((line) => line.includes('Xtigervnc'));
}

describe.skipIf(!hasXDesktops())('the embedded mode whose main thread freezes', () => {
  it(
    'is killed by its watchdog after 30 s, and the next start adopts its X desktop',
    { timeout: TIMEOUT_MS },
    async () => {
      await using place = await Place.make();
      const first = await start(place);
      const token = first.url.searchParams.get('token')!;
      await first.client.setup.complete({ token, username: 'ada', password: PASSWORD });
      const { id } = await first.client.sessions.create({ template: 'x-desktop' });
      await expect.poll(async () => (await first.client.sessions.get(id)).state, WAIT).toBe('running');
      const { generation } = await first.client.sessions.get(id);
      const servers = await serversOf(place, id);
      expect(servers).toHaveLength(1);

      const frozenAt = performance.now();
      first.app.child.kill('SIGUSR2');
      await first.app.closed;
      expect(first.app.child.signalCode).toBe('SIGKILL');
      // The last beat came up to half a second before the freeze.
      expect(performance.now() - frozenAt).toBeGreaterThan(29_000);
      expect(first.app.lines.at(-1)).toBe(
        `ERROR: The main thread has not run for 30 s; this process (pid ${first.app.child.pid}) is killed. ` +
          'Start it again: acknowledged changes are on disk, and running desktops are adopted.',
      );
      expect(await serversOf(place, id)).toEqual(servers);

      const { client } = await start(place);
      await client.login({ username: 'ada', password: PASSWORD });
      const adoptions = async () =>
        (await client.sessions.events(id)).filter(({ kind }) => kind === 'adopted');
      await expect.poll(adoptions, WAIT).toMatchObject([{ generation, data: { state: 'running' } }]);
      expect(await client.sessions.get(id)).toMatchObject({ state: 'running', generation });
      expect(await serversOf(place, id)).toEqual(servers);

      await client.sessions.stop(id);
      await expect.poll(async () => (await client.sessions.get(id)).state, WAIT).toBe('terminated');
      expect(await place.leftovers()).toEqual([]);
    },
  );
});
