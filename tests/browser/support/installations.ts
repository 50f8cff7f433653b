import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createControlPlane, type ControlPlane } from '@streamspace/control-plane';
import { pgliteDatabase } from '@streamspace/control-plane/pglite';

export interface Installations extends AsyncDisposable {
  readonly origin: string;
  /** Base address → the one-time token of its setup link. */
  readonly setupTokens: Readonly<Record<string, string>>;
}

/** Control planes on one origin, each under its path and with its database, and a page with `script` at `/page`. */
export async function startInstallations(paths: readonly string[], script: string): Promise<Installations> {
  const app = express();
  app.get(
    '/page',
    (_request, response) => void response.send('<!doctype html><script src="/script.js"></script>'),
  );
  app.get('/script.js', (_request, response) => void response.type('text/javascript').send(script));
  app.get('/favicon.ico', (_request, response) => void response.status(204).end());
  const made: AsyncDisposable[] = [];
  const tokens: [string, string][] = [];
  for (const path of paths) {
    const database = await pgliteDatabase({ memory: true });
    const controlPlane: ControlPlane = await createControlPlane({
      database,
      podName: path,
      jwtSecret: `a secret of ${path} that is long enough`,
    });
    made.push(controlPlane, database);
    app.use(path, controlPlane.router);
    tokens.push([path, (await controlPlane.setup.issueLink()) ?? '']);
  }
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    setupTokens: Object.fromEntries(tokens.map(([path, token]) => [origin + path, token])),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      for (const one of made) await one[Symbol.asyncDispose]();
    },
  };
}
