/** What to show of an error: a sentence, and what to do about it. */
export interface Told {
  readonly code: string;
  readonly detail: string;
  readonly remedy: string;
  /** The same call may succeed later. */
  readonly shouldRetry: boolean;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Errors of the client carry all of it; anything else is a fault of this page. */
export function told(error: unknown): Told {
  const fields = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  const detail = text(fields['detail']) || text(fields['message']);
  return {
    code: text(fields['code']) || 'page_error',
    detail: detail || 'Something went wrong in this page.',
    remedy: text(fields['remedy']) || (detail ? '' : 'Load the page again.'),
    shouldRetry: fields['shouldRetry'] === true,
  };
}
