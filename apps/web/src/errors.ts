/** What to show of an error: a sentence, and what to do about it. */
export interface Told {
  readonly code: string;
  readonly detail: string;
  readonly remedy: string;
  /** What helps whoever looks after the server, and nobody else. Often empty. */
  readonly technical: string;
  /** The same call may succeed later. */
  readonly shouldRetry: boolean;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Codes whose own words, which name addresses and statuses, are for those who write programs. */
const FOR_PEOPLE: Readonly<Record<string, { detail: string; remedy: string }>> = {
  unreachable: {
    detail: 'The control plane cannot be reached.',
    remedy: 'Check your network, or that it runs, and try again.',
  },
  upgrade_required: {
    detail: 'The proxy in front probably does not pass WebSocket connections.',
    remedy:
      'Try again. If that does not help, tell whoever looks after the server: the proxy has to pass on the headers Upgrade and Connection.',
  },
  unexpected_answer: {
    detail: 'Something else answers in place of the control plane.',
    remedy: 'It may be starting: try again in a moment. If that does not help, tell whoever looks after it.',
  },
};

/** Errors of the client carry all of it; anything else is a fault of this page. */
export function told(error: unknown): Told {
  const fields = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  const code = text(fields['code']) || 'page_error';
  const detail = text(fields['detail']) || text(fields['message']);
  const shouldRetry = fields['shouldRetry'] === true;
  const known = Object.hasOwn(FOR_PEOPLE, code) ? FOR_PEOPLE[code] : undefined;
  // An error may have been told before, on another page.
  if (known) return { code, ...known, technical: text(fields['technical']) || detail, shouldRetry };
  return {
    code,
    detail: detail || 'Something went wrong in this page.',
    remedy: text(fields['remedy']) || (detail ? '' : 'Load the page again.'),
    technical: '',
    shouldRetry,
  };
}
