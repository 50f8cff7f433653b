import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';

/** This process as the holder of a lock. `leaseMs`: how long its beat may pause before others take the lock over. */
export function thisProcess(leaseMs) {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid),
    host: hostname(),
    since: new Date().toISOString(),
    id: randomUUID(),
    boot: bootId(),
    pidNamespace: pidNamespace(),
    leaseMs,
  };
}

/** The holder that the text of an `owner.json` names; undefined when the text is damaged. */
export function parseHolder(text) {
  try {
    const { pid, startTime, host, since, id, boot, pidNamespace, leaseMs } = JSON.parse(text);
    if (!Number.isInteger(pid) || typeof host !== 'string' || typeof id !== 'string') return undefined;
    const lease = Number.isInteger(leaseMs) && leaseMs > 0 ? leaseMs : undefined;
    return { pid, startTime, host, since, id, boot, pidNamespace, leaseMs: lease };
  } catch {
    return undefined;
  }
}

/**
 * Judges a holder by its process: `alive` or `dead` where a pid of the holder means the same process here, else
 * `unseen`. Without start times (there is no /proc on macOS) a pid that exists may belong to another process since:
 * `unseen`.
 *
 * A pid means the same process within one boot of one kernel and one PID namespace, whatever the host is called. The
 * namespace's number is unique among those that exist: where it was given to a later one, the holder's is gone. A boot id
 * that differs proves nothing: the machine may have been restarted, it may be another machine on a network file system,
 * and systemd-nspawn and LXD give each container a boot id.
 */
export function judgeProcess(holder) {
  if (holder.pid === 0) return 'dead';
  if (isSeenHere(holder)) return judgePid(holder);
  // A start time has the boot's id in it, so that an equal one can only be the same process.
  if (holder.startTime !== undefined && startTimeOf(holder.pid) === holder.startTime) return 'alive';
  return 'unseen';
}

function isSeenHere(holder) {
  const isSameName = holder.host === hostname();
  // Written by a version that did not renew its lock and judged by the name alone.
  if (holder.leaseMs === undefined) return isSameName;
  const boot = bootId();
  const namespace = pidNamespace();
  if (boot === undefined || namespace === undefined) return isSameName && holder.boot === undefined;
  return holder.boot === boot && holder.pidNamespace === namespace;
}

/** Judges by whether the process exists. That its number was given to another one shows in the start time. */
function judgePid(holder) {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return 'dead';
  }
  const startTime = startTimeOf(holder.pid);
  if (startTime === undefined || holder.startTime === undefined) return 'unseen';
  return startTime === holder.startTime ? 'alive' : 'dead';
}

/** In clock ticks since the machine's boot, with the boot's id; undefined where there is no /proc, 'gone' for a zombie. */
function startTimeOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command's name in parentheses and may hold spaces: count from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return 'gone';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

function bootId() {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

function pidNamespace() {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}
