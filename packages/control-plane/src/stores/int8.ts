/** An int8 from its text: a number where that is exact, a bigint past 2^53. */
export function parseInt8(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}
