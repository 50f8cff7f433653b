import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate, type Certificate } from '../servers/certificate.js';
import { requireProgram, type Foreground } from '../servers/foreground.js';
import { freePort } from '../servers/free-port.js';
import { requireNginx, startNginx } from '../servers/nginx.js';
import { ask, codeOf, type Answer, type Sent } from './support/raw-client.js';
import { HOSTNAME } from './support/stage.js';

const EXAMPLE = 'examples/own-accounts/main.ts';
const START_MS = 60_000;
const nginx = requireNginx();
const openssl = requireProgram('openssl', 'openssl');

describe.runIf(nginx !== undefined && openssl !== undefined)(
  'the example own-accounts behind nginx with TLS that strips a prefix',
  () => {
    let certificate: Certificate;
    let proxy: Foreground;
    let app: ChildProcess;
    let publicUrl: string;

    beforeAll(async () => {
      certificate = await makeCertificate(openssl!, HOSTNAME);
      const [port, upstreamPort] = [await freePort(), await freePort()];
      publicUrl = `https://${HOSTNAME}:${port}/vdi`;
      app = spawn(process.execPath, ['--conditions=@streamspace/source', '--import', 'tsx', EXAMPLE], {
        env: { ...process.env, PORT: String(upstreamPort), PUBLIC_URL: publicUrl },
        stdio: 'inherit',
      });
      proxy = await startNginx(nginx!, {
        port,
        upstreamPort,
        certificate,
        prefix: '/vdi',
        prefixIs: 'stripped',
      });
      const deadline = Date.now() + START_MS;
      while ((await send('/health')).status !== 200) {
        if (Date.now() > deadline || app.exitCode !== null) throw new Error('the example does not answer');
        await sleep(100);
      }
    }, START_MS + 30_000);
    afterAll(async () => {
      app.kill('SIGKILL');
      if (app.exitCode === null) await once(app, 'exit');
      await proxy[Symbol.asyncDispose]();
      await certificate[Symbol.asyncDispose]();
    });

    const send = (
      path: string,
      { person, headers, ...sent }: Sent & { person?: string } = {},
    ): Promise<Answer> =>
      ask({ port: proxy.port, authority: certificate.authority }, publicUrl + path, {
        ...sent,
        headers: { ...(person !== undefined && { cookie: `person=${person}` }), ...headers },
      });

    it('has 25 lines at most', () => {
      expect(readFileSync(EXAMPLE, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(25);
    });

    it('knows people by the cookie of the application', async () => {
      expect([
        (await send('/api/v1/agents', { person: '1' })).status,
        codeOf(await send('/api/v1/agents', { person: '2' })),
      ]).toEqual([200, 'forbidden']);
      expect(codeOf(await send('/api/v1/sessions'))).toBe('not_logged_in');
      expect((await send('/api/v1/setup')).status).toBe(404);
    });

    it('refuses a change from a page of another site and accepts it from a page of the application', async () => {
      const issue = (origin: string) =>
        send('/api/v1/admin/agents', {
          method: 'POST',
          person: '1',
          headers: { origin },
          body: { agent_id: 'a' },
        });
      expect(codeOf(await issue('https://evil.example'))).toBe('origin_not_allowed');
      expect(codeOf(await issue(`http://${new URL(publicUrl).host}`))).toBe('origin_not_allowed');
      expect((await issue(new URL(publicUrl).origin)).status).toBe(201);
      const [entry] = JSON.parse((await send('/api/v1/admin/audit', { person: '1' })).text) as object[];
      expect(entry).toMatchObject({ actor: 'ada', action: 'agent_key_issued', address: '127.0.0.1' });
    });

    it('describes its API under the prefix, without the operations of set-up and login', async () => {
      const document = JSON.parse((await send('/api/openapi.json')).text) as {
        servers: unknown;
        paths: object;
      };
      expect(document.servers).toEqual([{ url: '/vdi' }]);
      expect(Object.keys(document.paths)).not.toContain('/api/v1/auth/login');
    });
  },
);
