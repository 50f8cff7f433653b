import { pid as ownPid } from 'node:process';
import { lookAtProcesses, type ProcessEntry, type ProcessId, type ProcessLook } from './processes.js';

/** What a look has found of a session. */
export interface FoundProcesses {
  readonly processes: readonly ProcessEntry[];
  /** Process groups that are the session's as a whole. */
  readonly groups: readonly number[];
  /** As of the look: see {@link ProcessLook}. */
  readonly isComplete: boolean;
}

/**
 * The processes of a session: those that carry its mark, those that were written down, and whatever is in a kernel
 * session that one of them leads or has led, or descends from one of them. Each program is started in a kernel session
 * of its own, and anybody can see who is in it: so one without a mark is found all the same, unless it has left both
 * its kernel session and its parents.
 *
 * @param roots leaders of kernel sessions that were written down, in the same epoch (see `processEpoch`)
 */
export function membersOf(
  { processes, isComplete }: ProcessLook,
  sessionId: string,
  roots: readonly ProcessId[] = [],
): FoundProcesses {
  const byPid = new Map(processes.map((entry) => [entry.pid, entry]));
  const own = byPid.get(ownPid);
  const members = new Set(processes.filter(({ marked, isZombie }) => marked === sessionId && !isZombie));
  const sessions = new Set<number>();
  for (const root of roots) {
    const there = byPid.get(root.pid);
    // Its number is nobody else's for as long as anyone is in its session.
    if (!there || there.startedAt === root.startedAt) sessions.add(root.pid);
    if (there?.startedAt === root.startedAt && !there.isZombie) members.add(there);
  }
  if (own) members.delete(own);
  const belongs = (entry: ProcessEntry): boolean => {
    const parent = byPid.get(entry.parent);
    return sessions.has(entry.session) || (parent !== undefined && members.has(parent));
  };
  for (let before = -1; before < members.size;) {
    before = members.size;
    for (const { session } of members) {
      const leader = byPid.get(session);
      if (!leader || leader.isZombie || members.has(leader)) sessions.add(session);
    }
    // Never the agent's, whatever it was started from; and 0 is any session outside of this PID namespace.
    sessions.delete(0);
    if (own) sessions.delete(own.session);
    for (const entry of processes) {
      if (entry !== own && !entry.isZombie && belongs(entry)) members.add(entry);
    }
  }
  const shared = new Set(
    processes.filter((entry) => !members.has(entry) && !entry.isZombie).map((one) => one.group),
  );
  // A root's own group too: one that starts its successor and ends may never be seen, and stays in it.
  const ours = roots.map(({ pid }) => pid).filter((pid) => sessions.has(pid));
  const groups = [...new Set([...[...members].map(({ group }) => group), ...ours])];
  return { processes: [...members], groups: groups.filter((group) => !shared.has(group)), isComplete };
}

/** Without those roots that have ended and left nobody in their session: their numbers may become somebody else's. */
export function withoutEnded({ processes }: ProcessLook, roots: readonly ProcessId[]): readonly ProcessId[] {
  const inUse = new Set(processes.map(({ session }) => session));
  const leaders = new Map(processes.map(({ pid, startedAt }) => [pid, startedAt]));
  return roots.filter(
    ({ pid, startedAt }) => inUse.has(pid) && (leaders.get(pid) ?? startedAt) === startedAt,
  );
}

/** Those of one session, now. */
export async function findSession(
  platformId: string,
  sessionId: string,
  roots: readonly ProcessId[] = [],
): Promise<FoundProcesses> {
  return membersOf(await lookAtProcesses(platformId), sessionId, roots);
}
