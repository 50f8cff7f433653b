/** Everything that the API refuses, by its stable code. */
export const REFUSALS = {
  malformed_json: { status: 400, title: 'Malformed JSON' },
  bad_request: { status: 400, title: 'Bad request' },
  not_logged_in: { status: 401, title: 'Not logged in' },
  bad_credentials: { status: 401, title: 'Wrong user name or password' },
  agent_key_missing: { status: 401, title: 'Agent key missing' },
  agent_key_invalid: { status: 403, title: 'Agent key invalid' },
  setup_token_invalid: { status: 403, title: 'Setup link invalid' },
  forbidden: { status: 403, title: 'Not allowed' },
  origin_not_allowed: { status: 403, title: 'Origin not allowed' },
  not_found: { status: 404, title: 'Not found' },
  session_not_found: { status: 404, title: 'Session not found' },
  session_exists: { status: 409, title: 'Session exists' },
  session_state: { status: 409, title: 'Not possible in this state' },
  session_ended: { status: 409, title: 'Session ended' },
  user_exists: { status: 409, title: 'User exists' },
  quota_exceeded: { status: 403, title: 'Too many sessions' },
  setup_done: { status: 409, title: 'Already set up' },
  host_not_allowed: { status: 421, title: 'Host not allowed' },
  upgrade_required: { status: 426, title: 'Upgrade required' },
  body_too_large: { status: 413, title: 'Body too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  invalid_field: { status: 422, title: 'Invalid field' },
  too_many_attempts: { status: 429, title: 'Too many attempts' },
  internal: { status: 500, title: 'Internal error' },
  no_agents_available: { status: 503, title: 'No agents available' },
  database_unavailable: { status: 503, title: 'Database unavailable' },
  busy: { status: 503, title: 'Busy' },
  storage_full: { status: 503, title: 'Storage full' },
} as const;

export type RefusalCode = keyof typeof REFUSALS;

/** A request that cannot be met, in words for whoever made it. Recognise it by `code`, not by `instanceof`. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** Whether the same request may succeed later without anyone changing anything. */
  readonly shouldRetry: boolean;
  /** What to do about it. */
  readonly remedy: string | undefined;
  /** When to try again, in seconds. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly code: RefusalCode,
    /** What was wrong, and what is allowed. */
    detail: string,
    options: { remedy?: string; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.remedy = options.remedy;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.shouldRetry = REFUSALS[code].status === 503 || REFUSALS[code].status === 429;
  }
}
