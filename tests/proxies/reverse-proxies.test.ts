import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pgliteDatabase } from '@streamspace/control-plane/pglite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { triesOperation } from '../browser/support/api-docs.js';
import { eventually } from '../browser/support/eventually.js';
import { hasBrowser, type TestBrowser } from '../browser/support/browser.js';
import { requireCaddy, startCaddy } from '../servers/caddy.js';
import { makeCertificate, type Certificate } from '../servers/certificate.js';
import { requireProgram } from '../servers/foreground.js';
import { requireHaproxy, startHaproxy } from '../servers/haproxy.js';
import { requireNginx, startNginx } from '../servers/nginx.js';
import { logIn, openChromium, seesDesktop, setUp } from './support/chromium.js';
import { codeOf } from './support/raw-client.js';
import { HOSTNAME, Stage, type StageOptions } from './support/stage.js';

const openssl = requireProgram('openssl', 'openssl');
const proxies = {
  nginx: { program: requireNginx(), start: startNginx },
  HAProxy: { program: requireHaproxy(), start: startHaproxy },
  Caddy: { program: requireCaddy(), start: startCaddy },
};

/** Wrong passwords of one user from one address after which the next attempt is refused. */
const FAILURES = 10;

/** What Chromium and noVNC write to the console of a page that came by plain HTTP from a name other than localhost. */
const ABOUT_PLAIN_HTTP =
  /^The Cross-Origin-Opener-Policy header has been ignored|^noVNC requires a secure context/;

type Cell = Pick<StageOptions, 'prefix' | 'prefixIs'> & {
  readonly name: keyof typeof proxies;
  readonly scheme: 'https' | 'http';
};

const AT_ROOT = { prefix: '', prefixIs: 'stripped', scheme: 'https' } as const;
const UNDER_PREFIX = { prefix: '/vdi', prefixIs: 'stripped', scheme: 'https' } as const;
const cells: readonly Cell[] = [
  { name: 'nginx', ...AT_ROOT },
  { name: 'nginx', ...UNDER_PREFIX },
  { name: 'nginx', ...UNDER_PREFIX, prefixIs: 'passed on' },
  { name: 'nginx', ...UNDER_PREFIX, scheme: 'http' },
  { name: 'HAProxy', ...AT_ROOT },
  { name: 'HAProxy', ...UNDER_PREFIX },
  { name: 'Caddy', ...AT_ROOT },
  { name: 'Caddy', ...UNDER_PREFIX },
];

const titleOf = ({ name, prefix, prefixIs, scheme }: Cell): string =>
  `behind ${name}, ${scheme}, ${prefix === '' ? 'at the root' : `under a prefix that is ${prefixIs}`}`;

const areReady =
  openssl !== undefined &&
  hasBrowser() &&
  Object.values(proxies).every(({ program }) => program !== undefined);

/** Products that are started or starting: of the cell whose tests run, and of the next one. */
const stages = new Map<Cell, Promise<Stage>>();
let certificate: Certificate;
/** Folder of a database that every product begins with a copy of. */
let database: string;

function stageOf(cell: Cell): Promise<Stage> {
  const { program, start } = proxies[cell.name];
  const started =
    stages.get(cell) ??
    Stage.start({
      ...cell,
      database,
      startProxy: (options) => start(program!, options),
      ...(cell.scheme === 'https' && { certificate }),
    });
  stages.set(cell, started);
  return started;
}

/** A start that has failed leaves nothing behind. */
async function dispose(cell: Cell): Promise<void> {
  const started = stages.get(cell);
  stages.delete(cell);
  await started?.then(
    (stage) => stage[Symbol.asyncDispose](),
    () => undefined,
  );
}

beforeAll(async () => {
  if (!areReady) return;
  certificate = await makeCertificate(openssl, HOSTNAME);
  database = await mkdtemp(join(tmpdir(), 'streamspace-new-database-'));
  await (await pgliteDatabase({ dataFolder: database }))[Symbol.asyncDispose]();
}, 60_000);
afterAll(async () => {
  for (const cell of [...stages.keys()]) await dispose(cell);
  if (!areReady) return;
  await certificate[Symbol.asyncDispose]();
  await rm(database, { recursive: true, force: true });
}, 60_000);

for (const [index, cell] of cells.entries()) {
  const isHttps = cell.scheme === 'https';

  describe.runIf(areReady)(`the product ${titleOf(cell)}`, () => {
    let stage: Stage;

    beforeAll(async () => {
      stage = await stageOf(cell);
      const next = cells[index + 1];
      // A start takes longer than these tests. Where it fails, the next cell's `beforeAll` says so.
      if (next) stageOf(next).catch(() => undefined);
    }, 150_000);
    afterAll(() => dispose(cell), 30_000);

    it('prints a set-up link of the public address', () => {
      expect(stage.product.link).toBe(`${stage.publicUrl}/setup?token=${stage.token}`);
    });

    it('leads from the set-up link into a desktop, keeps the login over a reload, and logs in again', async () => {
      await using browser: TestBrowser = await openChromium(stage.origin, { certificate });
      const { page } = browser;
      const refreshed: number[] = [];
      page.on('response', (response) => {
        if (response.url().endsWith('/auth/refresh')) refreshed.push(response.status());
      });

      await page.goto(`${stage.publicUrl}/setup?token=${stage.token}`);
      await setUp(page);
      await page.waitForURL(`${stage.publicUrl}/vnc-viewer/*`);
      await seesDesktop(page);
      await page.reload();
      await seesDesktop(page);
      expect(refreshed).toEqual([200]);
      expect(await browser.context.cookies()).toEqual([expectedCookie(cell)]);

      const [session] = (await stage.get('/api/v1/sessions')) as { url: string }[];
      await page.goto(new URL(session!.url, stage.publicUrl).href);
      await page.waitForURL(`${stage.publicUrl}/vnc-viewer/*`);
      await seesDesktop(page);
      await browser.screenshot(`proxies-${titleOf(cell).replaceAll(/[^A-Za-z]+/g, '-')}`);

      await page.getByRole('link', { name: 'All desktops' }).click();
      await page.getByText('Running').waitFor();
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.waitForURL(`${stage.publicUrl}/login**`);
      await eventually(() => browser.context.cookies()).toEqual([]);
      await logIn(page);
      await page.waitForURL(`${stage.publicUrl}/sessions`);
      expect(browser.strayRequests).toEqual([]);
      if (!isHttps) browser.forgive(ABOUT_PLAIN_HTTP);
      expect(browser.complaints).toEqual([]);
    });

    // At the root it is as without a proxy.
    if (cell.prefix !== '')
      it('describes its API at /api/docs/, and carries out what is tried there', async () => {
        await using browser: TestBrowser = await openChromium(stage.origin, { certificate });
        const { page } = browser;
        await page.goto(`${stage.publicUrl}/api/docs`);
        expect(page.url()).toBe(`${stage.publicUrl}/api/docs/`);
        await triesOperation(page, '/api/v1/setup', '"required"');
        expect(browser.strayRequests).toEqual([]);
        if (!isHttps) browser.forgive(ABOUT_PLAIN_HTTP);
        expect(browser.complaints).toEqual([]);
      });

    it('writes the address of the client into the audit, whatever the client says of itself', async () => {
      await stage.logIn('127.0.0.2', undefined, {
        'x-forwarded-for': '203.0.113.9',
        forwarded: 'for=203.0.113.9',
      });
      const [entry] = (
        (await stage.get('/api/v1/admin/audit')) as { action: string; address: string }[]
      ).filter(({ action, address }) => action === 'login' && address !== '127.0.0.1');
      expect(entry?.address).toBe('127.0.0.2');
    });

    it('slows one client down after wrong passwords, and no other client behind the same proxy', async () => {
      const statuses: number[] = [];
      for (let i = 0; i < FAILURES; i++)
        statuses.push((await stage.logIn('127.0.0.3', 'wrong password')).status);
      expect(statuses).toEqual(Array.from({ length: FAILURES }, () => 401));
      const refused = await stage.logIn('127.0.0.3');
      expect([refused.status, codeOf(refused)]).toEqual([429, 'too_many_attempts']);
      expect((await stage.logIn('127.0.0.4')).status).toBe(200);
    });

    it(`tells browsers ${isHttps ? '' : 'not '}to come by HTTPS only`, async () => {
      const answers = [await stage.ask('/login'), await stage.ask('/api/v1/setup')];
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      const policy = isHttps ? expect.stringMatching(/^max-age=\d{7,}/) : undefined;
      expect(answers.map(({ headers }) => headers['strict-transport-security'])).toEqual([policy, policy]);
    });

    it('takes renewals from pages of the public origin only', async () => {
      const renew = async (origin: string): Promise<unknown[]> => {
        const answer = await stage.ask('/api/v1/auth/refresh', { method: 'POST', headers: { origin } });
        return [answer.status, codeOf(answer)];
      };
      const other = stage.origin.replace(/^\w+/, isHttps ? 'http' : 'https');
      expect(await renew(other)).toEqual([403, 'origin_not_allowed']);
      expect(await renew(stage.origin)).toEqual([401, 'not_logged_in']);
    });
  });
}

/** The refresh cookie as Chromium keeps it. */
function expectedCookie({ scheme, prefix }: Cell): unknown {
  const isHttps = scheme === 'https';
  const start = !isHttps ? '' : prefix === '' ? '__Host-' : '__Secure-';
  return expect.objectContaining({
    name: expect.stringMatching(new RegExp(`^${start}streamspace`)) as unknown,
    domain: HOSTNAME,
    path: start === '__Host-' ? '/' : expect.stringMatching(new RegExp(`^${prefix}/`)),
    httpOnly: true,
    secure: isHttps,
    sameSite: 'Strict',
  }) as unknown;
}
