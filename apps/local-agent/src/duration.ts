const UNITS_IN_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
/** Longest time that a timer can wait for, in ms. */
const LONGEST_MS = 2 ** 31 - 1;

/** A duration as Go writes it (`30s`, `1h30m`, `1.5h`, `0`), in whole ms; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    total += Number(amount) * (UNITS_IN_MS[unit ?? ''] ?? Number.NaN);
  return total <= LONGEST_MS ? Math.round(total) : undefined;
}
