import { existsSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { removeDisplayFiles, socketOf } from '../src/x/display-files.js';

/** More than any pid: no process has it. */
const NO_PROCESS = 2 ** 22 + 1;
/** No test and no desktop uses it. */
const DISPLAY = 59_534;
const lock = `/tmp/.X${DISPLAY}-lock`;
const socket = socketOf(DISPLAY);

describe('the files of a display whose X server is not seen', () => {
  it('are kept while the server answers, as in another PID namespace, and removed afterwards', async () => {
    // As X servers make it: for all users, whatever the umask is.
    if (await mkdir('/tmp/.X11-unix', { recursive: true })) await chmod('/tmp/.X11-unix', 0o1777);
    const server = createServer((client) => client.destroy());
    try {
      await once(server.listen(socket), 'listening');
      await writeFile(lock, `${String(NO_PROCESS).padStart(10)}\n`);
      await removeDisplayFiles(DISPLAY, new Set());
      expect([existsSync(lock), existsSync(socket)]).toEqual([true, true]);

      server.close();
      await once(server, 'close');
      // A server that is killed leaves its socket.
      await writeFile(socket, '');
      await removeDisplayFiles(DISPLAY, new Set());
      expect([existsSync(lock), existsSync(socket)]).toEqual([false, false]);
    } finally {
      server.close();
      await rm(lock, { force: true });
      await rm(socket, { force: true });
    }
  });
});
