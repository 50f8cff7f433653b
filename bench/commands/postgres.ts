import { execFile } from 'node:child_process';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';

export interface Server extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly version: string;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The server refuses to run as root: then everything is done as its own user. */
async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const ask = async (flag: string): Promise<number> => Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await ask('-u'), gid: await ask('-g') };
}

/**
 * Starts the newest PostgreSQL that Debian has installed, in a temporary folder, on a free port of loopback. Its settings
 * are the server's own: commits are synced to disk. Disposing it removes the folder.
 */
export async function startServer(): Promise<Server> {
  const versions = (await readdir(DEBIAN).catch((): string[] => [])).filter((name) => /^\d+$/.test(name));
  const version = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (version === undefined)
    throw new Error('PostgreSQL is not installed; on Debian: apt-get install postgresql');
  const owner = await serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-bench-'));
  if (owner) await chown(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  const port = await freePort();
  const as = (program: string, ...args: string[]) => {
    const path = join(DEBIAN, version, 'bin', program);
    return owner
      ? run('runuser', ['-u', 'postgres', '--', path, ...args], { cwd: folder })
      : run(path, args, { cwd: folder });
  };
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}`;
  let stopped: Promise<unknown> | undefined;
  const stop = async (): Promise<void> => {
    await as('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop').catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await as('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C');
    await as('pg_ctl', '-D', data, '-l', join(folder, 'log'), '-o', settings, '-w', 'start');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    host: '127.0.0.1',
    port,
    user: 'postgres',
    database: 'postgres',
    version,
    async [Symbol.asyncDispose]() {
      await (stopped ??= stop());
    },
  };
}
