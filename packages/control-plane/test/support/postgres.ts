import { execFile } from 'node:child_process';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';

export interface Postgres extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** A new empty database, or a copy of another one. */
  createDatabase(options?: { template?: string }): Promise<string>;
  /** Stops the server without a word to its clients, as a crash would, and starts it again. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Folder of the newest PostgreSQL that Debian has installed here; `undefined` when there is none. */
export async function findPostgres(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN).catch((): string[] => []);
  const newest = versions.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a))[0];
  return newest && join(DEBIAN, newest, 'bin');
}

/**
 * The same, but a missing server fails a strict run and is said aloud in any other. What comes back decides whether
 * tests are run.
 */
export async function requirePostgres(): Promise<string | undefined> {
  const binaries = await findPostgres();
  if (binaries !== undefined) return binaries;
  const hint = 'PostgreSQL is not installed; on Debian: apt-get install postgresql';
  if (process.env['STREAMSPACE_TEST_STRICT'] === '1') throw new Error(hint);
  process.stderr.write(`SKIPPED: ${hint}\n`);
  return undefined;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The server refuses to run as root: then everything is done as its own user. */
export async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const ask = async (flag: string): Promise<number> => Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await ask('-u'), gid: await ask('-g') };
}

/** Starts a server of its own on a free port of loopback, in a temporary folder; disposing it removes both. */
export async function startPostgres(binaries: string): Promise<Postgres> {
  const owner = await serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-pg-'));
  if (owner) await chown(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  const port = await freePort();
  const as = (program: string, ...args: string[]) =>
    owner
      ? run('runuser', ['-u', 'postgres', '--', join(binaries, program), ...args], { cwd: folder })
      : run(join(binaries, program), args, { cwd: folder });
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder} -c fsync=off`;
  const start = async (): Promise<void> => {
    await as('pg_ctl', '-D', data, '-l', join(folder, 'log'), '-o', settings, '-w', 'start');
  };
  const stop = async (): Promise<void> => {
    await as('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop');
  };
  let running = false;
  const place = { host: '127.0.0.1', port, user: 'postgres' };
  let made = 0;
  try {
    await as('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C');
    await start();
    running = true;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    ...place,
    async createDatabase({ template = 'template0' } = {}) {
      const name = `test_${++made}`;
      const client = new pg.Client({ ...place, database: 'postgres' });
      await client.connect();
      try {
        await client.query(`create database ${name} template ${template}`);
      } finally {
        await client.end();
      }
      return name;
    },
    async start() {
      await start();
      running = true;
    },
    async stop() {
      running = false;
      await stop();
    },
    async [Symbol.asyncDispose]() {
      if (running) await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
