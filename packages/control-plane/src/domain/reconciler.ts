import type { ObservedState } from '@streamspace/protocol';
import type { ControlPlaneEvent } from '../events.js';
import { judge, type Verdict } from './judge.js';
import type { Inventory, Judged, SessionStore, Wakeups } from './ports.js';

export interface ReconcilerOptions {
  sessions: SessionStore;
  wakeups: Wakeups;
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

/**
 * Makes agents and database agree, with the database as the truth. It keeps nothing: each report is judged against what
 * the database says at that moment, and each change is made only while that still holds.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  async inventory({ agentId, epoch, sessions, changedSince }: Inventory): Promise<void> {
    const ids = sessions.map((entry) => entry.sessionId);
    const known = await this.#options.sessions.heldBy(agentId, ids);
    const { verdicts, unknown } = judge(agentId, sessions, known, changedSince);
    for (const verdict of verdicts) await this.#carryOut(verdict, agentId, epoch);
    if (unknown.length > 0) this.#options.onEvent({ type: 'sessions_unknown', agentId, sessionIds: unknown });
  }

  /** A desktop that ended by itself ends its session: what was in it is gone, and its user should be told. */
  async status(report: StatusReport): Promise<void> {
    const { agentId, epoch, sessionId, generation } = report;
    if (report.state === 'hibernated') {
      const judged = { sessionId, agentId, epoch, generation };
      if (await this.#options.sessions.markHibernated(judged))
        this.#changed(judged, 'hibernated', report.reason ?? 'The agent has hibernated it by itself.');
      return;
    }
    if (report.state !== 'failed' && report.state !== 'stopped') return;
    const code = report.state === 'failed' ? 'session_failed' : 'session_ended_by_itself';
    const message =
      report.reason ?? (report.state === 'failed' ? 'The desktop failed.' : 'The desktop ended by itself.');
    const judged = { sessionId, agentId, epoch, generation };
    if (await this.#options.sessions.markFailed(judged, { code, message }))
      this.#changed(judged, 'failed', message);
  }

  async #carryOut(verdict: Verdict, agentId: string, epoch: number): Promise<void> {
    const { session, reason } = verdict;
    const judged = { sessionId: session.id, agentId, epoch, generation: session.generation };
    const { sessions, wakeups } = this.#options;
    switch (verdict.action) {
      case 'restart':
        if (!(await sessions.restart(judged, verdict.newGeneration))) return;
        wakeups.commandsWaiting(agentId);
        return this.#changed(judged, 'restarted', reason);
      case 'stop':
        if (!(await sessions.stopHeld(judged, verdict.heldGeneration))) return;
        wakeups.commandsWaiting(agentId);
        return this.#changed(judged, 'stop_sent', reason);
      case 'terminated':
        if (await sessions.markTerminated(judged)) this.#changed(judged, 'terminated', reason);
        return;
      case 'hibernated':
        if (await sessions.markHibernated(judged)) this.#changed(judged, 'hibernated', reason);
        return;
      case 'keep_running':
        if (await sessions.keepRunning(judged)) this.#changed(judged, 'kept_running', reason);
    }
  }

  #changed(
    { sessionId, agentId }: Judged,
    action: (ControlPlaneEvent & { type: 'session_reconciled' })['action'],
    reason: string,
  ): void {
    this.#options.wakeups.sessionChanged(sessionId);
    this.#options.onEvent({ type: 'session_reconciled', sessionId, agentId, action, reason });
  }
}
