import { ApiError } from './errors.js';
import type { Answer } from './transport.js';

/** Most pages that one list is made of; past it: `list_too_long`. */
const MOST_PAGES = 100;

/** A path with the parameters that are given. */
export function withQuery(
  path: string,
  parameters: Readonly<Record<string, string | number | undefined>>,
): string {
  const given = Object.entries(parameters).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return given.length > 0 ? `${path}?${new URLSearchParams(given).toString()}` : path;
}

/** Each page of a list, up to the one that names no next one. */
export async function* pagesOf<T>(
  request: (cursor: string | undefined) => Promise<Pick<Answer, 'body' | 'nextCursor'>>,
): AsyncGenerator<T[], void> {
  let cursor: string | undefined;
  do {
    const answer = await request(cursor);
    yield answer.body as T[];
    cursor = answer.nextCursor;
  } while (cursor !== undefined);
}

/**
 * All pages as one list. An entry that moved to a later page while the pages were taken is there once, as it was last.
 *
 * @throws ApiError `list_too_long`
 */
export async function listAll<T extends { readonly id: string }>(pages: AsyncIterable<T[]>): Promise<T[]> {
  const found = new Map<string, T>();
  let taken = 0;
  for await (const page of pages) {
    taken++;
    if (taken > MOST_PAGES) throw tooLong();
    for (const entry of page) {
      found.delete(entry.id);
      found.set(entry.id, entry);
    }
  }
  return [...found.values()];
}

const tooLong = (): ApiError =>
  new ApiError({
    code: 'list_too_long',
    status: 0,
    title: 'List too long',
    detail: `The list has more than ${MOST_PAGES} pages.`,
    remedy: 'Take it page by page.',
  });
