import { CLOSE } from '@streamspace/protocol';
import type { CloseWith } from '@streamspace/vnc-tunnel/node';
import type { Session } from '../domain/session.js';
import { isDatabaseError } from '../stores/database-error.js';

/** Close codes of the viewers' endpoint beside those of {@link CLOSE}. */
export const VIEWER_CLOSE = {
  /** RFC 6455: a kind of message that is not taken here. */
  unsupportedData: 1003,
  /** RFC 6455: the connection ended without a close frame. Never sent, only told to operators. */
  noCloseFrame: 1006,
} as const;

/** Why a viewer's connection ends: a close code, and a sentence for the person in front of it. */
export class ViewerEnd extends Error {
  override readonly name = 'ViewerEnd';

  constructor(
    readonly closeCode: number,
    sentence: string,
    options?: { cause?: unknown },
  ) {
    super(sentence, options);
  }

  /** The viewer has gone by itself: there was nothing to refuse it. */
  get hasLeft(): boolean {
    return this.closeCode === CLOSE.normal || this.closeCode === VIEWER_CLOSE.noCloseFrame;
  }
}

interface Told {
  readonly code: number;
  readonly sentence: string;
}

const LINK_LOST: Told = {
  code: CLOSE.upstreamUnavailable,
  sentence: 'The connection to the agent was lost.',
};
/** Sentences for errors of the hub and of streams, by code. */
const SENTENCES: Readonly<Record<string, Told>> = {
  agent_not_connected: {
    code: CLOSE.upstreamUnavailable,
    sentence: 'The agent that runs this session is not connected.',
  },
  link_lost: LINK_LOST,
  agent_lost: LINK_LOST,
  going_away: LINK_LOST,
  session_not_found: { code: CLOSE.notFound, sentence: 'The agent does not have this session.' },
  connect_failed: { code: CLOSE.upstreamUnavailable, sentence: 'The desktop does not take connections.' },
  refused: { code: CLOSE.forbidden, sentence: 'The agent refused the connection.' },
  limit_reached: { code: CLOSE.limitReached, sentence: 'The agent has too many viewers.' },
  timeout: { code: CLOSE.upstreamUnavailable, sentence: 'The agent did not open the desktop in time.' },
};

/** What the viewer itself did wrong. The reset says what. */
const OF_THE_VIEWER: readonly unknown[] = ['protocol_error', 'flow_control'];
/** Nothing about the session is to be learned from these: it may well run on. */
const OF_THE_LINK: readonly unknown[] = ['agent_not_connected', 'link_lost', 'agent_lost', 'going_away'];
/** How a refusal begins that is about a tunnel's limits, the agent's as a whole. Any other is about the desktop's. */
const TUNNEL_LIMIT = /^(?:streams|opensInFlight|creditBudget): /;

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;
/** A sentence that an agent said, on one line. */
const oneLine = (error: unknown): string => (error as Error).message.replace(/\p{Cc}+/gu, ' ');

function toldFor(error: unknown): Told | undefined {
  const code = codeOf(error);
  if (!(error instanceof Error) || typeof code !== 'string' || isDatabaseError(error)) return undefined;
  if (OF_THE_VIEWER.includes(code)) return { code: CLOSE.protocolError, sentence: oneLine(error) };
  if (code === 'limit_reached' && !TUNNEL_LIMIT.test(error.message))
    return { code: CLOSE.limitReached, sentence: oneLine(error) };
  return Object.hasOwn(SENTENCES, code) ? SENTENCES[code] : undefined;
}

/** Whether this is one of the ways in which viewers end, and nothing that an operator has to look at. */
export const isUsualEnd = (error: unknown): boolean =>
  error instanceof ViewerEnd || toldFor(error) !== undefined;

/** Whether the error says all that there is to say about the end of a stream, so that its session need not be asked. */
export const saysWhy = (error: unknown): boolean =>
  error instanceof ViewerEnd || [...OF_THE_VIEWER, ...OF_THE_LINK].includes(codeOf(error));

/** Anything that ended a viewer, as the close code and sentence that it is told. */
export function viewerEndOf(error: unknown): ViewerEnd {
  if (error instanceof ViewerEnd) return error;
  if (isDatabaseError(error))
    return new ViewerEnd(CLOSE.upstreamUnavailable, 'The control plane cannot answer now. Try again.', {
      cause: error,
    });
  const known = toldFor(error);
  if (known) return new ViewerEnd(known.code, known.sentence, { cause: error });
  // Its message is for operators; who knows what is in it.
  return new ViewerEnd(CLOSE.upstreamUnavailable, 'The connection to the desktop was lost.', {
    cause: error,
  });
}

/** Why a session has no desktop to view and will get none by itself; `undefined` for one that runs or is to. */
export function endOfSession(session: Session | undefined): ViewerEnd | undefined {
  if (!session) return new ViewerEnd(CLOSE.notFound, 'This session does not exist.');
  const { state, agentId, error } = session;
  switch (state) {
    case 'pending':
      return undefined;
    case 'running':
      return agentId === null
        ? new ViewerEnd(CLOSE.notFound, 'The agent that ran this session was removed.')
        : undefined;
    case 'failed':
      return new ViewerEnd(CLOSE.notFound, `The session failed: ${error?.message ?? 'unknown'}`);
    case 'hibernated':
      return new ViewerEnd(
        CLOSE.hibernated,
        error
          ? `The desktop is hibernated: ${error.message}`
          : 'The desktop is hibernated. Wake it to go on.',
      );
    case 'terminating':
    case 'terminated':
      return new ViewerEnd(CLOSE.notFound, 'The session has ended.');
  }
}

/** A duration as people say it, for example `5 minutes`. */
export function inWords(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  const isMinutes = seconds >= 120 || seconds === 60;
  const [count, unit] = isMinutes ? [Math.round(seconds / 60), 'minute'] : [seconds, 'second'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

export const closeWith = (error: unknown): CloseWith => {
  const end = viewerEndOf(error);
  return { code: end.closeCode, reason: end.message };
};
