import type { Request } from 'express';
import { Refusal } from '../domain/errors.js';

const DEFAULT_LIMIT = 100;
const MOST = 1_000;

function numberOf(request: Request<object>, name: string, least: number, most: number): number | undefined {
  const given = (request.query as Record<string, unknown>)[name];
  if (given === undefined) return undefined;
  const value = typeof given === 'string' && /^\d+$/.test(given) ? Number(given) : NaN;
  if (value >= least && value <= most) return value;
  throw new Refusal('invalid_field', `${name} must be a whole number from ${least} to ${most}.`);
}

/** Which part of a list is asked for: `?limit=…` and the id to go on from. @throws Refusal `invalid_field` */
export function pageOf(
  request: Request<object>,
  cursorName: 'after' | 'before',
): { limit: number; cursor: number | undefined } {
  return {
    limit: numberOf(request, 'limit', 1, MOST) ?? DEFAULT_LIMIT,
    cursor: numberOf(request, cursorName, 0, Number.MAX_SAFE_INTEGER),
  };
}
