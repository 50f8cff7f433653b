import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from './free-port.js';
import { missing } from './missing.js';
import { serverUser, type Postgres } from './postgres.js';

/** A pooler in transaction mode, in front of a server. */
export interface PgBouncer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** Fewer server connections than clients, and nothing reset between clients: session state would leak at once. */
const SERVER_CONNECTIONS = 4;
const START_LIMIT_MS = 10_000;

/** The program, wherever Debian or the caller's `PATH` has it; `undefined` where it is not, unless a run is strict. */
export function requirePgBouncer(): string | undefined {
  const folders = ['/usr/sbin', ...(process.env['PATH'] ?? '').split(delimiter)];
  const program = folders.map((folder) => join(folder, 'pgbouncer')).find((path) => existsSync(path));
  return program ?? missing('PgBouncer', 'pgbouncer');
}

/** Starts one on a free port of loopback; disposing it stops it. */
export async function startPgBouncer(program: string, server: Postgres): Promise<PgBouncer> {
  const owner = await serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-pgbouncer-'));
  const port = await freePort();
  const users = join(folder, 'users.txt');
  const config = join(folder, 'pgbouncer.ini');
  await writeFile(users, `"${server.user}" ""\n`);
  await writeFile(
    config,
    `[databases]
* = host=${server.host} port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS}
max_client_conn = 500
server_reset_query =
server_login_retry = 1
log_connections = 0
log_disconnections = 0
log_stats = 0
`,
  );
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
    await listening(port, ended);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host: '127.0.0.1', port, user: server.user, [Symbol.asyncDispose]: stop };
}

/** Resolves when somebody takes connections on the port; rejects when the program ended first, or took too long. */
async function listening(port: number, ended: Promise<unknown>): Promise<void> {
  const hasEnded = ended.then(() => true);
  const deadline = performance.now() + START_LIMIT_MS;
  while (!(await isOpen(port))) {
    const pause = new Promise<false>((resolve) => setTimeout(resolve, 20, false));
    if ((await Promise.race([hasEnded, pause])) || performance.now() > deadline)
      throw new Error(`PgBouncer does not listen on port ${port}`);
  }
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
