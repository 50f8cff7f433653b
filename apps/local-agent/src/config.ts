import { resolve } from 'node:path';

/** What is wrong with the configuration, in one line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'config_invalid';

  constructor(variable: string, value: string, problem: string) {
    super(`${variable}=${value}: ${problem}`);
  }
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Config {
  readonly agentId: string;
  readonly controlPlaneUrl: string;
  readonly apiKey: string;
  readonly region: string | undefined;
  /** 0 means unlimited. */
  readonly maxSessions: number;
  /** Absolute. */
  readonly dataFolder: string;
  readonly logLevel: LogLevel;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the agent's variables; empty ones count as absent.
 *
 * @param folder what relative paths start from
 * @throws ConfigError naming the variable, its value (not the key's) and what is allowed
 */
export function readConfig(env: Environment, folder: string): Config {
  return {
    agentId: readAgentId(env),
    controlPlaneUrl: readUrl(env),
    apiKey: readKey(env),
    region: env['REGION'] || undefined,
    maxSessions: readMaxSessions(env),
    dataFolder: resolve(folder, env['STREAMSPACE_DATA_DIR'] || '.streamspace'),
    logLevel: readLogLevel(env),
  };
}

function readAgentId(env: Environment): string {
  const value = env['AGENT_ID'] ?? '';
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(value))
    throw new ConfigError(
      'AGENT_ID',
      value,
      'needed; allowed are up to 255 letters, digits, dots, dashes and underscores, for example local-prod-1',
    );
  return value;
}

function readUrl(env: Environment): string {
  const value = env['CONTROL_PLANE_URL'] ?? '';
  if (!/^(wss?|https?):\/\//.test(value) || !URL.canParse(value))
    throw new ConfigError(
      'CONTROL_PLANE_URL',
      value,
      'needed; allowed is a wss or ws URL, for example wss://desk.example',
    );
  return value;
}

function readKey(env: Environment): string {
  const value = env['AGENT_API_KEY'] ?? '';
  if (!/^[0-9A-Fa-f]{64}$/.test(value))
    throw new ConfigError(
      'AGENT_API_KEY',
      '(not shown)',
      'needed; allowed are the 64 hexadecimal digits that an administrator was shown for this agent',
    );
  return value;
}

function readMaxSessions(env: Environment): number {
  const value = env['MAX_SESSIONS'] || '0';
  if (!/^\d{1,6}$/.test(value))
    throw new ConfigError('MAX_SESSIONS', value, 'allowed is a whole number from 0 (unlimited) to 999999');
  return Number(value);
}

function readLogLevel(env: Environment): LogLevel {
  const value = env['LOG_LEVEL'] || 'info';
  const level = LOG_LEVELS.find((name) => name === value.toLowerCase());
  if (level === undefined) throw new ConfigError('LOG_LEVEL', value, `allowed are ${LOG_LEVELS.join(', ')}`);
  return level;
}
