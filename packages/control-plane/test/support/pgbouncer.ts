import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { tmpdir } from 'node:os';
import { freePort, serverUser, type Postgres } from './postgres.js';

export interface PgBouncer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** The program, wherever Debian or the caller's `PATH` has it; `undefined` when there is none. */
function findPgBouncer(): string | undefined {
  const folders = ['/usr/sbin', ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, 'pgbouncer')).find((path) => existsSync(path));
}

/** The same, but where it is missing a strict run fails and any other says so aloud. */
export function requirePgBouncer(): string | undefined {
  const program = findPgBouncer();
  if (program !== undefined) return program;
  const hint = 'PgBouncer is not installed; on Debian: apt-get install pgbouncer';
  if (process.env['STREAMSPACE_TEST_STRICT'] === '1') throw new Error(hint);
  process.stderr.write(`SKIPPED: ${hint}\n`);
  return undefined;
}

/** Fewer server connections than clients, and nothing reset between clients: session state would leak at once. */
const SERVER_CONNECTIONS = 4;

/** Starts one in transaction mode on a free port of loopback, in front of a server; disposing it stops it. */
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

/** Resolves when somebody takes connections on the port; rejects when the program ended, or after 10 s. */
async function listening(port: number, ended: Promise<unknown>): Promise<void> {
  const isOpen = async (): Promise<boolean> => {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  };
  const hasEnded = ended.then(() => true);
  const deadline = performance.now() + 10_000;
  while (!(await isOpen())) {
    const pause = new Promise<false>((resolve) => setTimeout(resolve, 20, false));
    if ((await Promise.race([hasEnded, pause])) || performance.now() > deadline)
      throw new Error(`PgBouncer does not listen on port ${port}`);
  }
}
