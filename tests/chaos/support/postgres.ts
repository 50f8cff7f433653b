import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pgDatabase } from '@streamspace/control-plane/pg';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';
/** Who the control plane is to the server: no superuser, so that limits hold for it. */
const ROLE = 'streamspace';

/** A server of our own, and what may befall it. Everything that is stopped here can be started again. */
export interface Postgres extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** The role that databases belong to. */
  readonly user: string;
  /** Goes with the server; there is room for what belongs to a run. */
  readonly folder: string;
  createDatabase(): Promise<string>;
  /** Stops it without a word to its clients, as a crash would. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Every process of it stands still, with its connections open. */
  freeze(): Promise<void>;
  thaw(): void;
  /** It is there, ends the connections that there are, and takes no more. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
}

/** Folder of the newest PostgreSQL that Debian has installed here; `undefined` where there is none. */
async function findPostgres(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN).catch((): string[] => []);
  const newest = versions.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a))[0];
  return newest && join(DEBIAN, newest, 'bin');
}

/** As above, but where it is missing a strict run fails and any other says so aloud. */
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

/** Servers refuse to run as root: then everything is done as PostgreSQL's own user. */
export async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const ask = async (flag: string): Promise<number> => Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await ask('-u'), gid: await ask('-g') };
}

/** Starts a server on a free port of loopback, in a temporary folder; disposing it removes both. */
export async function startPostgres(binaries: string): Promise<Postgres> {
  const owner = await serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-chaos-pg-'));
  if (owner) await chown(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  const place = { host: '127.0.0.1', port: await freePort() };
  const as = (program: string, ...args: string[]) =>
    owner
      ? run('runuser', ['-u', 'postgres', '--', join(binaries, program), ...args], { cwd: folder })
      : run(join(binaries, program), args, { cwd: folder });
  const settings = `-p ${place.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder} -c fsync=off`;
  const start = async (): Promise<void> => {
    await as('pg_ctl', '-D', data, '-l', join(folder, 'log'), '-o', settings, '-w', 'start');
  };
  const sql = async (...statements: string[]): Promise<void> => {
    await using database = await pgDatabase({ ...place, user: 'postgres', database: 'postgres' });
    for (const statement of statements) await database.query(statement);
  };
  const frozen: number[] = [];
  const thaw = (): void => {
    for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT');
  };
  const stop = async (): Promise<void> => {
    thaw();
    await as('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop').catch(() => undefined);
  };
  let made = 0;
  try {
    await as('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C');
    await start();
    await sql(`create role ${ROLE} login`);
  } catch (error) {
    await stop();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    ...place,
    user: ROLE,
    folder,
    async createDatabase() {
      const name = `chaos_${++made}`;
      await sql(`create database ${name} owner ${ROLE}`);
      return name;
    },
    start,
    crash: stop,
    async freeze() {
      const [line] = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
      const postmaster = Number(line);
      // First itself, so that it starts no more.
      for (const pid of [postmaster, ...childrenOf(postmaster)]) {
        process.kill(pid, 'SIGSTOP');
        frozen.push(pid);
      }
    },
    thaw,
    refuse: () =>
      sql(
        `alter role ${ROLE} connection limit 0`,
        `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${ROLE}'`,
      ),
    accept: () => sql(`alter role ${ROLE} connection limit -1`),
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const [, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(ppid) === parent ? [Number(entry)] : [];
    } catch {
      // It ended while we looked.
      return [];
    }
  });
}
