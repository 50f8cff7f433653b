import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { describeError, type Log } from './log.js';

/** What everybody gets whom nothing else answers: people the page, which says so itself, and programs a problem document. */
export function lastHandlers(
  log: Log,
  page: string | undefined,
): { notFound: RequestHandler; failed: ErrorRequestHandler } {
  const answer = (request: Request, response: Response, status: Status): void => {
    const problem = (): void => {
      const { title, code } = PROBLEMS[status];
      const document = { type: 'about:blank', title, status, detail: `${title}.`, code };
      response.status(status).type('application/problem+json').send(JSON.stringify(document));
    };
    response.status(status).set('Cache-Control', 'no-store');
    const wantsPage = request.method === 'GET' && request.accepts(['json', 'html']) === 'html';
    if (wantsPage && page !== undefined && status !== 500) response.type('html').send(page);
    else problem();
  };
  return {
    notFound: (request, response) => answer(request, response, 404),
    // Express knows it for a handler of errors by its four parameters.
    failed: (error: unknown, request, response, _next) => {
      const status = statusOf(error);
      if (status === 500) log.error(`${request.method} ${request.path}: ${describeError(error)}`);
      if (response.headersSent) response.destroy();
      else answer(request, response, status);
    },
  };
}

const PROBLEMS = {
  400: { title: 'Bad request', code: 'bad_request' },
  404: { title: 'Not found', code: 'not_found' },
  500: { title: 'Internal error', code: 'internal' },
} as const;
type Status = keyof typeof PROBLEMS;

function statusOf(error: unknown): Status {
  const status = (error as { status?: unknown } | null)?.status;
  if (typeof status !== 'number' || status < 400 || status >= 500) return 500;
  return status === 404 ? 404 : 400;
}
