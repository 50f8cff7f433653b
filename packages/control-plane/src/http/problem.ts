import type { ServerResponse } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import { API_ERRORS, type Problem } from '@streamspace/api';
import { Refusal } from '../domain/errors.js';
import { isDatabaseError } from '../stores/database-error.js';

/** Seconds after which a client may ask again while the database is away. */
const DATABASE_RETRY_SECONDS = 2;

export function problemOf(refusal: Refusal): Problem {
  const { status, title } = API_ERRORS[refusal.code];
  return {
    type: 'about:blank',
    title,
    status,
    detail: refusal.message,
    code: refusal.code,
    ...(refusal.remedy !== undefined && { remedy: refusal.remedy }),
  };
}

const isRefusal = (error: unknown): error is Refusal =>
  error instanceof Error && error.name === 'Refusal' && 'code' in error;

/** What went wrong, in words for a client. What it must not see is left out. */
export function toRefusal(error: unknown): Refusal {
  if (isRefusal(error)) return error;
  if (isDatabaseError(error) && (error.shouldRetry || error.code === 'closed' || error.code === 'fatal'))
    return new Refusal('database_unavailable', 'The database does not answer now.', {
      retryAfterSeconds: DATABASE_RETRY_SECONDS,
      remedy: 'Try again in a moment.',
      cause: error,
    });
  if (isDatabaseError(error) && error.code === 'invalid_value')
    return new Refusal('invalid_field', 'A value has a form or characters that cannot be stored.', {
      cause: error,
    });
  const { type, status } = (error ?? {}) as { type?: unknown; status?: unknown };
  if (type === 'entity.parse.failed')
    return new Refusal('malformed_json', 'The body must be one JSON document.', { cause: error });
  if (type === 'entity.too.large')
    return new Refusal('body_too_large', 'A body may have 1 MiB at most.', { cause: error });
  if (status === 415)
    return new Refusal('unsupported_media_type', 'The body must be JSON in UTF-8.', { cause: error });
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new Refusal('bad_request', 'The request cannot be read.', { cause: error });
  return new Refusal('internal', 'Something went wrong here; the control plane’s log has it.', {
    cause: error,
  });
}

export function sendProblem(response: ServerResponse, refusal: Refusal): void {
  const problem = problemOf(refusal);
  if (refusal.retryAfterSeconds !== undefined)
    response.setHeader('Retry-After', String(refusal.retryAfterSeconds));
  const body = Buffer.from(JSON.stringify(problem));
  response.writeHead(problem.status, {
    'Content-Type': 'application/problem+json; charset=utf-8',
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(body);
}

/** The last handler: every error as a problem document; what is our fault is reported too. */
export function problemHandler(onError: (error: unknown, where: string) => void): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const refusal = toRefusal(error);
    if (refusal.code === 'internal' || refusal.code === 'database_unavailable')
      onError(error, `${request.method} ${request.baseUrl}${request.path}`);
    if (response.headersSent) next(error);
    else sendProblem(response, refusal);
  };
}
