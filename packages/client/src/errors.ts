/** What a server's problem document (RFC 9457), or the lack of one, says about a failed call. */
export interface ApiErrorFields {
  /** Stable word for programs: the server's own, or one of {@link ClientErrorCode}. */
  readonly code: string;
  /** HTTP status; 0 where no answer arrived. */
  readonly status: number;
  /** A few words. */
  readonly title: string;
  /** A sentence: what was wrong. */
  readonly detail: string;
  /** A sentence: what to do about it. Empty where nobody knows. */
  readonly remedy?: string;
  /** Seconds to wait before trying again, where the server named a time. */
  readonly retryAfter?: number | undefined;
}

/** Codes that this package makes up itself; every other code comes from the server. */
export type ClientErrorCode =
  | 'unreachable'
  | 'unexpected_answer'
  | 'http_error'
  | 'logged_out'
  | 'login_replaced'
  | 'list_too_long'
  | 'token_unavailable'
  | 'invalid_option';

const RETRYABLE_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

/**
 * Why a call failed.
 *
 * Recognise it by `code`, not by `instanceof`: two copies of a package may be installed.
 */
export class ApiError extends Error implements ApiErrorFields {
  override readonly name = 'ApiError';
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly remedy: string;
  readonly retryAfter?: number;
  /** The same call may succeed later without anybody changing anything. */
  readonly shouldRetry: boolean;

  constructor(fields: ApiErrorFields, options?: { cause?: unknown }) {
    super(fields.detail || fields.title, options);
    this.code = fields.code;
    this.status = fields.status;
    this.title = fields.title;
    this.detail = fields.detail;
    this.remedy = fields.remedy ?? '';
    if (fields.retryAfter !== undefined) this.retryAfter = fields.retryAfter;
    this.shouldRetry = fields.code === 'unreachable' || RETRYABLE_STATUS.has(fields.status);
  }
}

/** The application's function gave no token. */
export function tokenUnavailable(cause: unknown): ApiError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ApiError(
    {
      code: 'token_unavailable',
      status: 0,
      title: 'No token',
      detail: `The application gave no token: ${why}.`,
      remedy: 'Log in to the application again.',
    },
    { cause },
  );
}

/** No answer: refused, cut, or not within the time limit. */
export function unreachable(origin: string, why: string, cause?: unknown): ApiError {
  return new ApiError(
    {
      code: 'unreachable',
      status: 0,
      title: 'Server unreachable',
      detail: `No answer from ${origin}: ${why}.`,
      remedy: 'Check that the server runs and that this machine can reach it, then try again.',
    },
    { cause },
  );
}

/** An answer that is not what the API promises, for example a proxy's page in place of JSON. */
export function unexpectedAnswer(status: number, path: string, cause?: unknown): ApiError {
  return new ApiError(
    {
      code: 'unexpected_answer',
      status,
      title: 'Unexpected answer',
      detail: `The answer to ${path} (status ${status}) is not the JSON that this API sends.`,
      remedy: 'Check that the address is a StreamSpace control plane and that no proxy answers in its place.',
    },
    { cause },
  );
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The error for an answer outside 200–299; `body` is its text, whatever that is. */
export function errorFromAnswer(response: Response, body: string): ApiError {
  let problem: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null) problem = parsed as Record<string, unknown>;
  } catch {
    // A proxy's HTML page, or nothing: the status is all there is to say.
  }
  const title = text(problem['title']) || response.statusText || `HTTP ${response.status}`;
  return new ApiError({
    code: text(problem['code']) || 'http_error',
    status: response.status,
    title,
    detail: text(problem['detail']) || `The server answered with status ${response.status}: ${title}.`,
    remedy: text(problem['remedy']),
    retryAfter: secondsToWait(response.headers.get('retry-after')),
  });
}

/** `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date. */
function secondsToWait(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - Date.now()) / 1000));
}
