import type { Request, Response } from 'express';
import { mountOf } from './mount.js';

/** Entries of a page by id, of a request without `limit`. */
const DEFAULT_LIMIT = 100;

/**
 * The entries of one page, and the link to the next where there are more.
 *
 * @param list resolves with this many entries at most
 */
export async function pageById<Entry extends { readonly id: number }>(
  { request, response, query: { limit = DEFAULT_LIMIT } }: PageCall,
  parameter: 'after' | 'before',
  list: (limit: number) => Promise<readonly Entry[]>,
): Promise<readonly Entry[]> {
  // One more than the page has shows whether there is a next one.
  const found = await list(limit + 1);
  const page = found.slice(0, limit);
  const last = found.length > limit ? page.at(-1) : undefined;
  if (last) linkNext(request, response, parameter, last.id);
  return page;
}

interface PageCall {
  readonly request: Request;
  readonly response: Response;
  readonly query: { readonly limit?: number | undefined };
}

/**
 * Says where the next page is (RFC 8288): the same request with one parameter set, as an absolute path under which
 * browsers see the router.
 */
export function linkNext(
  request: Request,
  response: Response,
  parameter: 'cursor' | 'after' | 'before',
  value: string | number,
): void {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  searchParams.set(parameter, String(value));
  response.append('Link', `<${mountOf(response)}${pathname}?${searchParams.toString()}>; rel="next"`);
}
