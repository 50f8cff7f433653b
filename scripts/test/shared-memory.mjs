import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const TABLE = '/proc/sysvipc/shm';
/** How long processes that are just ending have to leave their segments, in ms, and how often that is looked at. */
const SETTLE_MS = 2_000;
const POLL_MS = 100;
const ROOT = 0;

/** The System V shared memory of this machine; none where the kernel does not say. */
export function readSegments() {
  try {
    return parseSegments(readFileSync(TABLE, 'latin1'));
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'EACCES') return [];
    throw error;
  }
}

/** The rows of `/proc/sysvipc/shm` by the names in its first line: kernels have added columns. */
export function parseSegments(text) {
  const [head = '', ...rows] = text.split('\n').filter((line) => line.trim() !== '');
  const names = head.trim().split(/\s+/);
  return rows.map((row) => {
    const values = row.trim().split(/\s+/);
    const of = (name) => Number(values[names.indexOf(name)]);
    return {
      id: of('shmid'),
      bytes: of('size'),
      creator: of('cpid'),
      attached: of('nattch'),
      user: of('cuid'),
    };
  });
}

/**
 * Segments that are new and that no living program looks after: nothing is attached, or the process that made them is
 * gone. Such a segment stays until the machine is restarted. A creator of 0 is in another PID namespace, where this
 * process cannot look; and only root starts programs as other users.
 */
export function leftSegments(before, after, { isAlive, user }) {
  const known = new Set(before.map(({ id }) => id));
  return after.filter(
    ({ id, attached, creator, user: owner }) =>
      !known.has(id) &&
      (user === ROOT || owner === user) &&
      (attached === 0 || (creator !== 0 && !isAlive(creator))),
  );
}

/** The segments that were left since `before`, once processes that are ending have ended. */
export async function findLeftSegments(before) {
  const isAlive = (pid) => existsSync(`/proc/${pid}`);
  const look = () => leftSegments(before, readSegments(), { isAlive, user: process.getuid?.() ?? ROOT });
  const until = performance.now() + SETTLE_MS;
  let left = look();
  while (left.length > 0 && performance.now() < until) {
    await sleep(POLL_MS);
    left = look();
  }
  return left;
}

/** One line for each, with how to remove it: that is left to a person, since it is not known for certain whose it is. */
export function describeSegments(segments) {
  return segments
    .map(
      ({ id, creator, bytes, attached }) =>
        `✗ shared memory was left behind: shmid ${id}, made by pid ${creator}, ${bytes} bytes, ${attached} attached (ipcrm -m ${id} removes it)`,
    )
    .join('\n');
}
