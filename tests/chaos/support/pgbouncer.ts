import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort, serverUser, type Postgres } from './postgres.js';
import { until } from './until.js';

export interface PgBouncer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** The program; where it is missing a strict run fails and any other says so aloud. */
export function requirePgBouncer(): string | undefined {
  const folders = ['/usr/sbin', ...(process.env['PATH'] ?? '').split(delimiter)];
  const program = folders.map((folder) => join(folder, 'pgbouncer')).find((path) => existsSync(path));
  if (program !== undefined) return program;
  const hint = 'PgBouncer is not installed; on Debian: apt-get install pgbouncer';
  if (process.env['STREAMSPACE_TEST_STRICT'] === '1') throw new Error(hint);
  process.stderr.write(`SKIPPED: ${hint}\n`);
  return undefined;
}

/** Starts one in transaction mode on a free port of loopback, in front of a server; disposing it stops it. */
export async function startPgBouncer(program: string, server: Postgres): Promise<PgBouncer> {
  const owner = await serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-chaos-pgbouncer-'));
  const port = await freePort();
  const users = join(folder, 'users.txt');
  const config = join(folder, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `* = host=${server.host} port=${server.port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = trust',
    `auth_file = ${users}`,
    'pool_mode = transaction',
    'default_pool_size = 4',
    'server_login_retry = 1',
    '',
  ];
  await writeFile(users, `"${server.user}" ""\n`);
  await writeFile(config, lines.join('\n'));
  if (owner) for (const path of [folder, users, config]) await chown(path, owner.uid, owner.gid);
  // It refuses to run as root.
  const child = spawn(program, [config], { stdio: 'ignore', cwd: folder, ...owner });
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(
      () => isOpen(port),
      10_000,
      () => 'PgBouncer does not listen',
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { host: '127.0.0.1', port, [Symbol.asyncDispose]: stop };
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
