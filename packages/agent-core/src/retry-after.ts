/** Longest pause that an answer can ask for, in ms. */
const LONGEST_MS = 5 * 60_000;

/** The pause that a `Retry-After` header asks for, in ms; only its form in seconds, and at most 5 min. */
export function retryAfterMs(header: string | null | undefined): number | undefined {
  if (!header || !/^\d{1,9}$/.test(header)) return undefined;
  return Math.min(Number(header) * 1_000, LONGEST_MS);
}
