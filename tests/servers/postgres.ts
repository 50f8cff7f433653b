import { execFile } from 'node:child_process';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './free-port.js';
import { missing } from './missing.js';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';
const SUPERUSER = 'postgres';
/** Whom databases belong to, and whom clients log in as: no superuser, so that the server's limits hold for it. */
const ROLE = 'streamspace';

/** A server of a run's own, on loopback. */
export interface Postgres extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** The role that databases belong to. It has no password. */
  readonly user: string;
  /** Goes with the server; there is room for what belongs to a run. */
  readonly folder: string;
  /** Of its database files. */
  readonly dataFolder: string;
  /** A new empty database. */
  createDatabase(): Promise<string>;
  /** Runs statements as the server's superuser, who gets in when nobody else does. */
  administer(...statements: string[]): Promise<void>;
  /** Stops the server without a word to its clients, as a crash would. */
  crash(): Promise<void>;
  start(): Promise<void>;
}

/** Folder with the programs of the newest PostgreSQL that Debian has installed here. */
async function findPostgres(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN).catch((): string[] => []);
  const newest = versions.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a))[0];
  return newest && join(DEBIAN, newest, 'bin');
}

/** The same; `undefined` where there is none, unless the run is a strict one. */
export async function requirePostgres(): Promise<string | undefined> {
  return (await findPostgres()) ?? missing('PostgreSQL', 'postgresql');
}

/** Servers of this kind refuse to run as root: then everything is done as PostgreSQL's own user. */
export async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const ask = async (flag: string): Promise<number> => Number((await run('id', [flag, SUPERUSER])).stdout);
  return { uid: await ask('-u'), gid: await ask('-g') };
}

/**
 * Starts a server on a free port, in a temporary folder; disposing it removes both.
 *
 * @param binaries what `requirePostgres` has found
 * @param options.syncs whether commits are on disk before they are answered, as on a server of production; tests do
 *   without (default false)
 */
export async function startPostgres(binaries: string, { syncs = false } = {}): Promise<Postgres> {
  const owner = await serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-postgres-'));
  if (owner) await chown(folder, owner.uid, owner.gid);
  const dataFolder = join(folder, 'data');
  const place = { host: '127.0.0.1', port: await freePort() };
  const as = (program: string, ...args: string[]) =>
    owner
      ? run('runuser', ['-u', SUPERUSER, '--', join(binaries, program), ...args], { cwd: folder })
      : run(join(binaries, program), args, { cwd: folder });
  const settings =
    `-p ${place.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}` +
    (syncs ? '' : ' -c fsync=off');
  let running = false;
  const start = async (): Promise<void> => {
    await as('pg_ctl', '-D', dataFolder, '-l', join(folder, 'log'), '-o', settings, '-w', 'start');
    running = true;
  };
  const crash = async (): Promise<void> => {
    if (!running) return;
    running = false;
    await as('pg_ctl', '-D', dataFolder, '-m', 'immediate', '-w', 'stop');
  };
  const administer = async (...statements: string[]): Promise<void> => {
    const client = new pg.Client({ ...place, user: SUPERUSER, database: SUPERUSER });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };
  const dispose = async (): Promise<void> => {
    await crash();
    await rm(folder, { recursive: true, force: true });
  };
  let made = 0;
  try {
    const cluster = ['-U', SUPERUSER, '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'];
    await as('initdb', '-D', dataFolder, ...cluster);
    await start();
    await administer(`create role ${ROLE} login`);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    ...place,
    user: ROLE,
    folder,
    dataFolder,
    async createDatabase() {
      const name = `test_${++made}`;
      await administer(`create database ${name} owner ${ROLE} template template0`);
      return name;
    },
    administer,
    crash,
    start,
    [Symbol.asyncDispose]: dispose,
  };
}
