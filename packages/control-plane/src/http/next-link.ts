import type { Request, Response } from 'express';
import { mountOf } from './mount.js';

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
