/** From the least important on. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes lines for the person who runs this: `INFO: Server started on :8080`. Callers keep secrets out of them. */
export type Log = Readonly<Record<LogLevel, (text: string) => void>>;

/** A log of one line per call; what is below `level` is left out. */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const enabled = LOG_LEVELS.slice(LOG_LEVELS.indexOf(level));
  const at = (name: LogLevel) => (text: string) => {
    if (enabled.includes(name)) write(`${name.toUpperCase()}: ${oneLine(text)}\n`);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** What went wrong, with its causes, for a log line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  const own = `${error.message}${code}`;
  if (error.cause === undefined) return own;
  const cause = describeError(error.cause);
  // A driver's error that was only given another name says the same twice.
  return error.cause instanceof Error && error.cause.message === error.message
    ? own
    : `${own}; because: ${cause}`;
}

/** Keeps what strangers chose (names, reasons) from writing lines of its own. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}
