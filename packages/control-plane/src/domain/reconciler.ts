import type { ObservedState } from '@streamspace/protocol';
import type { ControlPlaneEvent } from '../events.js';
import { judge, type Verdict } from './judge.js';
import type { Inventory, Judged, Reconciled, SessionChange, SessionStore, Wakeups } from './ports.js';
import type { StorageRoom } from './storage-room.js';

export interface ReconcilerOptions {
  sessions: SessionStore;
  wakeups: Wakeups;
  room: Pick<StorageRoom, 'shortage'>;
  onEvent: (event: ControlPlaneEvent) => void;
}

/** What an agent says of a session by itself. */
export interface StatusReport {
  readonly agentId: string;
  readonly epoch: number;
  readonly sessionId: string;
  readonly generation: number;
  readonly state: ObservedState;
  readonly reason?: string;
}

/** Most changes of one inventory that are under way. Before the next ones it is asked whether the connection is there. */
const CHANGES_AT_ONCE = 32;

type Reported = (ControlPlaneEvent & { type: 'session_reconciled' })['action'];

/**
 * Makes agents and database agree, with the database as the truth. It keeps nothing: each report is judged against what
 * the database says at that moment, and each change is made only while that still holds.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /**
   * Stops between batches of changes when the agent's connection is gone: the next one brings an inventory too. While
   * there is no room to store, nothing is restarted: the agent's next inventory asks for it again.
   *
   * @throws what the first change failed with, after the others of its batch; later batches are tried unless a retry
   * could help, because then the database is away
   */
  async inventory({ agentId, epoch, sessions, changedSince, isCurrent }: Inventory): Promise<void> {
    const ids = sessions.map((entry) => entry.sessionId);
    const known = await this.#options.sessions.heldBy(agentId, ids);
    const judged = judge(agentId, sessions, known, changedSince);
    const verdicts = await this.#withRoom(agentId, judged.verdicts);
    const errors: unknown[] = [];
    for (let at = 0; at < verdicts.length && isCurrent(); at += CHANGES_AT_ONCE) {
      const batch = verdicts.slice(at, at + CHANGES_AT_ONCE);
      const results = await Promise.allSettled(
        batch.map((verdict) => this.#execute(verdict, agentId, epoch)),
      );
      const failed = results.flatMap((result) =>
        result.status === 'rejected' ? [result.reason as unknown] : [],
      );
      errors.push(...failed);
      const enqueued = results.some((result) => result.status === 'fulfilled' && result.value === 'enqueued');
      if (enqueued) this.#options.wakeups.commandsWaiting(agentId);
      if (failed.some(mayWorkLater)) break;
      if (results.some((result) => result.status === 'fulfilled' && result.value === 'stale')) break;
    }
    if (judged.unknown.length > 0 && isCurrent())
      this.#options.onEvent({ type: 'sessions_unknown', agentId, sessionIds: judged.unknown });
    if (errors.length > 0) throw errors[0];
  }

  /** A desktop that ended by itself ends its session: what was in it is gone, and its user should be told. */
  async status(report: StatusReport): Promise<void> {
    const { agentId, epoch, sessionId, generation } = report;
    const judged = { sessionId, agentId, epoch, generation };
    if (report.state === 'hibernated') {
      const reason = report.reason ?? 'The agent has hibernated it by itself.';
      await this.#change(judged, { action: 'hibernated' }, 'hibernated', reason);
      return;
    }
    if (report.state !== 'failed' && report.state !== 'stopped') return;
    const code = report.state === 'failed' ? 'session_failed' : 'session_ended_by_itself';
    const message =
      report.reason ?? (report.state === 'failed' ? 'The desktop failed.' : 'The desktop ended by itself.');
    await this.#change(judged, { action: 'failed', code, message }, 'failed', message);
  }

  /** The verdicts that may be executed now. */
  async #withRoom(agentId: string, verdicts: readonly Verdict[]): Promise<readonly Verdict[]> {
    const restarts = verdicts.filter(({ action }) => action === 'restart');
    if (restarts.length === 0) return verdicts;
    const shortage = await this.#options.room.shortage();
    if (!shortage) return verdicts;
    const sessionIds = restarts.map(({ session }) => session.id);
    this.#options.onEvent({ type: 'restarts_postponed', agentId, sessionIds, reason: shortage.detail });
    return verdicts.filter(({ action }) => action !== 'restart');
  }

  async #execute(verdict: Verdict, agentId: string, epoch: number): Promise<Reconciled | 'enqueued'> {
    const { session, reason } = verdict;
    const judged = { sessionId: session.id, agentId, epoch, generation: session.generation };
    const result = await this.#change(judged, verdict, REPORTED[verdict.action], reason);
    const hasCommand = verdict.action === 'restart' || verdict.action === 'stop';
    return result === 'changed' && hasCommand ? 'enqueued' : result;
  }

  async #change(
    judged: Judged,
    change: SessionChange,
    action: Reported,
    reason: string,
  ): Promise<Reconciled> {
    const result = await this.#options.sessions.reconcile(judged, change);
    if (result !== 'changed') return result;
    const { sessionId, agentId } = judged;
    this.#options.wakeups.sessionChanged(sessionId);
    this.#options.onEvent({ type: 'session_reconciled', sessionId, agentId, action, reason });
    return result;
  }
}

const REPORTED: Readonly<Record<Verdict['action'], Reported>> = {
  restart: 'restarted',
  stop: 'stop_sent',
  terminated: 'terminated',
  hibernated: 'hibernated',
  keep_running: 'kept_running',
};

const mayWorkLater = (error: unknown): boolean =>
  (error as { shouldRetry?: unknown } | null)?.shouldRetry === true;
