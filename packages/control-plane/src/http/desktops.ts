import type { AgentHub } from '@streamspace/hub';
import { CLOSE, type StreamPolicy } from '@streamspace/protocol';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import type { SessionStore } from '../domain/ports.js';
import type { Session } from '../domain/session.js';
import type { SessionWaits } from '../domain/session-waits.js';
import { endOfSession, inWords, saysWhy, ViewerEnd, viewerEndOf } from './viewer-end.js';

export interface DesktopsOptions {
  sessions: SessionStore;
  waits: SessionWaits;
  hub: AgentHub;
  /** Longest wait for a session to run and for its desktop, in ms. */
  waitMs: number;
  /** Longest wait for the agent of a session that runs to be connected, in ms; within `waitMs`. */
  agentWaitMs: number;
}

/** How often a desktop is tried that is not there yet though its session is running, in ms. */
const RETRY_MS = 250;
/**
 * How long a session whose desktop has ended may still be said to run, in ms: agents tell why afterwards. Past it the
 * connection counts as lost.
 */
const END_WAIT_MS = 2_000;

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** Opens desktops for viewers, and finds out why they have ended. */
export class Desktops {
  readonly #options: DesktopsOptions;

  constructor(options: DesktopsOptions) {
    this.#options = options;
  }

  /**
   * Waits for the session to run, and for its desktop.
   *
   * @throws ViewerEnd, HubError, DatabaseError, or the signal's reason
   */
  async open(sessionId: string, policy: StreamPolicy, signal: AbortSignal): Promise<ByteChannel> {
    const { hub, waits, sessions, waitMs, agentWaitMs } = this.#options;
    const deadline = performance.now() + waitMs;
    let agentDeadline: number | undefined;
    for (;;) {
      const session = await waits.until(
        sessionId,
        () => sessions.find(sessionId),
        (found) => found?.state !== 'pending',
        { timeoutMs: deadline - performance.now(), signal },
      );
      const agentId = runningOn(session, waitMs);
      try {
        return await hub.openStream({ agentId, sessionId, policy, signal });
      } catch (error) {
        signal.throwIfAborted();
        const code = codeOf(error);
        // Not there yet, or not any more: the agent may be connecting, and its session being restored.
        if (code === 'agent_not_connected') agentDeadline ??= performance.now() + agentWaitMs;
        else if (code === 'session_not_found') agentDeadline = undefined;
        else throw error;
        if (performance.now() + RETRY_MS >= Math.min(deadline, agentDeadline ?? deadline)) throw error;
        await waits.change(sessionId, RETRY_MS, signal);
      }
    }
  }

  /**
   * Why a desktop's stream has ended, as its viewer is told. Where its session was stopped, put away or has failed,
   * its state says so a moment later: that is waited for. Never rejects.
   *
   * @param error what ended the stream; `undefined` where it ended in order
   */
  async endOf(sessionId: string, error: Error | undefined, signal: AbortSignal): Promise<ViewerEnd> {
    if (saysWhy(error)) return viewerEndOf(error);
    try {
      const { waits, sessions } = this.#options;
      const session = await waits.until(
        sessionId,
        () => sessions.find(sessionId),
        (found) => found?.state !== 'running',
        { timeoutMs: END_WAIT_MS, signal },
      );
      if (session?.state === 'pending')
        return new ViewerEnd(CLOSE.upstreamUnavailable, 'The desktop is starting again.');
      return endOfSession(session) ?? viewerEndOf(error);
    } catch {
      // The viewer has left, or the database is away: then only the stream is known.
      return viewerEndOf(signal.aborted ? signal.reason : error);
    }
  }
}

/** @throws ViewerEnd when the session cannot be viewed */
function runningOn(session: Session | undefined, waitMs: number): string {
  const end = endOfSession(session);
  if (end) throw end;
  if (session?.state === 'running' && session.agentId !== null) return session.agentId;
  throw new ViewerEnd(
    CLOSE.upstreamUnavailable,
    `The session did not start within ${inWords(waitMs)}. Connect again to go on waiting.`,
  );
}
