const UNITS_IN_BYTES: Readonly<Record<string, number>> = {
  KB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
};

/** A size such as `256MB` or `1.5GB`, in whole bytes (1 KB is 1024 bytes); `0` without a unit; else undefined. */
export function parseSize(text: string): number | undefined {
  if (text === '0') return 0;
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(KB|MB|GB|TB)$/i.exec(text) ?? [];
  const factor = UNITS_IN_BYTES[unit?.toUpperCase() ?? ''];
  return factor === undefined ? undefined : Math.round(Number(amount) * factor);
}

/** Bytes in words, for example `12.3 MB`. */
export function formatSize(bytes: number): string {
  const [unit, factor] =
    bytes >= 2 ** 30
      ? (['GB', 2 ** 30] as const)
      : bytes >= 2 ** 20
        ? (['MB', 2 ** 20] as const)
        : (['KB', 2 ** 10] as const);
  return `${(bytes / factor).toFixed(1).replace(/\.0$/, '')} ${unit}`;
}
