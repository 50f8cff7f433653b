import { API_ERRORS, type ApiErrorCode } from '@streamspace/api';

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
    readonly code: ApiErrorCode,
    /** What was wrong, and what is allowed. */
    detail: string,
    options: { remedy?: string; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.remedy = options.remedy;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.shouldRetry = API_ERRORS[code].status === 503 || API_ERRORS[code].status === 429;
  }
}
