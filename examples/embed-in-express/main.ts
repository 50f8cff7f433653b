/**
 * Desktops inside an Express app of one's own, under /vdi: a control plane, and an agent for this machine that dials in.
 *
 *   node --conditions=@streamspace/source --import tsx examples/embed-in-express/main.ts
 *
 * Outside this checkout the packages come from npm, and neither flag is needed.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAgent } from '@streamspace/agent-core';
import { createControlPlane } from '@streamspace/control-plane';
import { pgliteDatabase } from '@streamspace/control-plane/pglite';
import { builtInDesktopTemplate, localPlatform } from '@streamspace/platform-local';
import express from 'express';

const dataFolder = process.env['DATA_FOLDER'] ?? '.streamspace/embed-in-express';
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

await using database = await pgliteDatabase({ dataFolder: `${dataFolder}/db` });
await using controlPlane = await createControlPlane({
  database,
  podName: 'my-app',
  // The folder is this process's alone: a start need not wait for another replica to end.
  soleReplica: true,
  jwtSecret: process.env['JWT_SECRET'] ?? 'only-for-trying-this-out-32-chars-or-more',
  // Names by which people reach this app; a request for another is refused. IP addresses and localhost need none.
  hosts: process.env['ALLOWED_HOSTS'] ?? [],
  templates: [{ name: 'built-in-desktop', platform: 'local', manifest: builtInDesktopTemplate }],
});

const app = express();
app.use('/vdi', controlPlane.router);
// The same check for pages of the app itself.
app.use(controlPlane.guard);
app.get('/', (_request, response) => void response.send('my own app'));

const server = createServer(app);
controlPlane.attach(server, { path: '/vdi' });
await new Promise<void>((resolve) => server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;

const platform = localPlatform({ dataFolder, xDesktops: false });
const agent = createAgent({
  agentId: 'this-machine',
  apiKey: await controlPlane.agents.issueKey('this-machine'),
  controlPlaneUrl: `http://127.0.0.1:${port}/vdi`,
  platform,
  onEvent: (event) => {
    if (event.type === 'connected') console.log(`Ready: http://127.0.0.1:${port}/vdi/health`);
  },
});
const setupToken = await controlPlane.setup.issueLink();
if (setupToken) console.log(`Setup token: ${setupToken}`);

await agent.run(stop.signal);
await platform.close?.();
server.close();
server.closeAllConnections();
