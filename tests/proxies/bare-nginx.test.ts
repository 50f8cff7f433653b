import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../browser/support/eventually.js';
import { hasBrowser } from '../browser/support/browser.js';
import { makeCertificate, type Certificate } from '../servers/certificate.js';
import { requireProgram } from '../servers/foreground.js';
import { requireNginx, startNginx } from '../servers/nginx.js';
import { openChromium, setUp } from './support/chromium.js';
import { codeOf } from './support/raw-client.js';
import { HOSTNAME, Stage } from './support/stage.js';

/** What nginx sends as Host where its configuration does not say otherwise. */
const UPSTREAM = 'control-plane.internal';
const nginx = requireNginx();
const openssl = requireProgram('openssl', 'openssl');

describe.runIf(nginx !== undefined && openssl !== undefined && hasBrowser())(
  'the product behind nginx that replaces the Host and passes no upgrades',
  () => {
    let certificate: Certificate;
    let stage: Stage;

    beforeAll(async () => {
      certificate = await makeCertificate(openssl!, HOSTNAME);
      stage = await Stage.start({
        prefix: '',
        prefixIs: 'passed on',
        certificate,
        environment: { ALLOWED_HOSTS: UPSTREAM },
        startProxy: (options) =>
          startNginx(nginx!, { ...options, headers: 'defaults', upstreamName: UPSTREAM }),
      });
    }, 150_000);
    afterAll(async () => {
      await stage[Symbol.asyncDispose]();
      await certificate[Symbol.asyncDispose]();
    }, 30_000);

    it('keeps a login over a reload with ALLOWED_HOSTS, and tells the person why there is no picture', async () => {
      await using browser = await openChromium(stage.origin, { certificate });
      const { page } = browser;
      await page.goto(`${stage.publicUrl}/setup?token=${stage.token}`);
      await setUp(page);
      await page.waitForURL(`${stage.publicUrl}/vnc-viewer/*`);
      const panel = page.locator('.panel', { hasText: 'WebSocket' });
      await panel.waitFor({ timeout: 40_000 });
      await browser.screenshot('proxies-no-upgrades');
      expect(await panel.textContent()).toMatch(/proxy/i);

      await page.goto(`${stage.publicUrl}/sessions`);
      await page.getByText('Running').waitFor();
      await page.reload();
      await page.getByText('Running').waitFor();
      expect(browser.strayRequests).toEqual([]);
    });

    it('answers 426 through the proxy', async () => {
      const headers = { connection: 'Upgrade', upgrade: 'websocket', origin: stage.origin };
      const answer = await stage.ask('/api/v1/vnc/web-1?ticket=none', { headers });
      expect([answer.status, codeOf(answer)]).toEqual([426, 'upgrade_required']);
    });

    it('counts attempts to log in by the address of the proxy, which tells no other', async () => {
      await stage.logIn('127.0.0.2');
      const entries = (await stage.get('/api/v1/admin/audit')) as { address: string }[];
      await eventually(() => new Set(entries.map(({ address }) => address))).toEqual(new Set(['127.0.0.1']));
    });
  },
);
