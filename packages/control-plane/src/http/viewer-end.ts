import { CLOSE } from '@streamspace/protocol';
import type { CloseWith } from '@streamspace/vnc-tunnel/node';
import { isDatabaseError } from '../stores/database-error.js';

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
}

const SENTENCES: Readonly<Record<string, { code: number; sentence: string }>> = {
  agent_not_connected: {
    code: CLOSE.upstreamUnavailable,
    sentence: 'The agent that runs this session is not connected.',
  },
  link_lost: { code: CLOSE.upstreamUnavailable, sentence: 'The connection to the agent was lost.' },
  agent_lost: { code: CLOSE.upstreamUnavailable, sentence: 'The connection to the agent was lost.' },
  session_not_found: { code: CLOSE.notFound, sentence: 'The agent does not have this session.' },
  connect_failed: { code: CLOSE.upstreamUnavailable, sentence: 'The desktop does not take connections.' },
  refused: { code: CLOSE.forbidden, sentence: 'The agent refused the connection.' },
  limit_reached: { code: CLOSE.limitReached, sentence: 'The agent has too many viewers.' },
  timeout: { code: CLOSE.timeout, sentence: 'The agent did not open the desktop in time.' },
};

function sentenceFor(error: unknown): { code: number; sentence: string } | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  const known = typeof code === 'string' && Object.hasOwn(SENTENCES, code) && !isDatabaseError(error);
  return known ? SENTENCES[code] : undefined;
}

/** Whether this is one of the ways in which viewers end, and nothing that an operator has to look at. */
export const isUsualEnd = (error: unknown): boolean =>
  error instanceof ViewerEnd || sentenceFor(error) !== undefined;

/** Anything that ended a viewer, as the close code and sentence that it is told. */
export function viewerEndOf(error: unknown): ViewerEnd {
  if (error instanceof ViewerEnd) return error;
  if (isDatabaseError(error))
    return new ViewerEnd(CLOSE.upstreamUnavailable, 'The control plane cannot answer now. Try again.', {
      cause: error,
    });
  const known = sentenceFor(error);
  if (known) return new ViewerEnd(known.code, known.sentence, { cause: error });
  // Its message is for operators; who knows what is in it.
  return new ViewerEnd(CLOSE.upstreamUnavailable, 'The connection to the desktop was lost.', {
    cause: error,
  });
}

export const closeWith = (error: unknown): CloseWith => {
  const end = viewerEndOf(error);
  return { code: end.closeCode, reason: end.message };
};
