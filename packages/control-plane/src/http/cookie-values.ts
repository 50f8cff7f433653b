import { parse } from 'cookie';

/**
 * Every value of the cookie `name`, in the order of the header (RFC 6265 section 5.4: the longest path first). There can
 * be several: servers on other ports of the same host name, and on parent domains, set cookies of the same name.
 */
export const cookieValues = (header: string | undefined, name: string): string[] =>
  (header ?? '').split(';').flatMap((pair) => parse(pair)[name] ?? []);
