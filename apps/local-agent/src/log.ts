/** From the least important on. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** What a line is about, beside its text: written in JSON only. */
export type LogFields = Readonly<Record<string, unknown>>;
export type Log = (level: LogLevel, text: string, fields?: LogFields) => void;

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly write: (line: string) => void;
  /** @default the system's */
  readonly now?: () => Date;
}

/**
 * One line per call: `INFO: Agent ID: local-1`, or a JSON object `{time, level, msg, …}`. Callers keep secrets out of
 * them; what strangers chose cannot write lines of its own.
 */
export function createLog({ level, format, write, now = () => new Date() }: LogOptions): Log {
  const least = LOG_LEVELS.indexOf(level);
  return (at, text, fields = {}) => {
    if (LOG_LEVELS.indexOf(at) < least) return;
    const msg = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
    write(
      format === 'json'
        ? `${JSON.stringify({ time: now().toISOString(), level: at, msg, ...fields })}\n`
        : `${at.toUpperCase()}: ${msg}\n`,
    );
  };
}
