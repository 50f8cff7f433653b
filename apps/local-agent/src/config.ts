import { resolve } from 'node:path';
import { parseDuration } from './duration.js';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from './log.js';

/** What is wrong with the configuration, in one line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'config_invalid';

  constructor(variable: string, value: string, problem: string) {
    super(`${variable}=${value}: ${problem}`);
  }
}

export interface Config {
  readonly agentId: string;
  readonly controlPlaneUrl: string;
  /** The key may go unencrypted to a host that is not this machine. */
  readonly allowInsecureControlPlane: boolean;
  readonly apiKey: string;
  readonly region: string | undefined;
  /** What sessions may ask of an agent. */
  readonly labels: Readonly<Record<string, string>>;
  /** Each is unlimited at 0: sessions, cores, GB. */
  readonly maxSessions: number;
  readonly maxCpu: number;
  readonly maxMemory: number;
  /** ms; 0 is never. */
  readonly idleAfterMs: number;
  readonly usageIntervalMs: number;
  readonly healthHost: string;
  /** Of `/health`, `/ready` and `/metrics`; `undefined` is none. */
  readonly healthPort: number | undefined;
  /** Absolute. */
  readonly dataFolder: string;
  /** The VNC server of X desktops by its name or path, or `off`. Absent: Xtigervnc where it is installed. */
  readonly xvnc: string | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
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
    allowInsecureControlPlane:
      readChoice(env, 'ALLOW_INSECURE_CONTROL_PLANE', ['true', 'false'], 'false') === 'true',
    apiKey: readKey(env),
    region: env['REGION'] || undefined,
    labels: readLabels(env),
    maxSessions: readMaximum(env, 'MAX_SESSIONS'),
    maxCpu: readMaximum(env, 'MAX_CPU'),
    maxMemory: readMaximum(env, 'MAX_MEMORY'),
    idleAfterMs: readDuration(env, 'STREAMSPACE_IDLE_AFTER', '15m'),
    usageIntervalMs: readDuration(env, 'STREAMSPACE_USAGE_INTERVAL', '5m'),
    healthHost: env['HEALTH_HOST'] || '127.0.0.1',
    healthPort: readPort(env),
    dataFolder: resolve(folder, env['STREAMSPACE_DATA_DIR'] || '.streamspace'),
    xvnc: env['STREAMSPACE_XVNC'] || undefined,
    logLevel: readChoice(env, 'LOG_LEVEL', LOG_LEVELS, 'info'),
    logFormat: readChoice(env, 'LOG_FORMAT', LOG_FORMATS, 'text'),
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

function readLabels(env: Environment): Record<string, string> {
  const value = env['STREAMSPACE_LABELS'] ?? '';
  const pairs = value.split(',').flatMap((pair) => pair.trim() || []);
  return Object.fromEntries(
    pairs.map((pair) => {
      const found = /^([A-Za-z0-9._/-]{1,255})=([A-Za-z0-9._-]{0,255})$/.exec(pair);
      if (!found)
        throw new ConfigError(
          'STREAMSPACE_LABELS',
          value,
          `"${pair}" is no label; allowed are pairs with commas between, for example gpu=yes,disk=fast`,
        );
      return [found[1]!, found[2]!];
    }),
  );
}

function readMaximum(env: Environment, name: string): number {
  const value = env[name] || '0';
  if (!/^\d{1,6}$/.test(value))
    throw new ConfigError(name, value, 'allowed is a whole number from 0 (unlimited) to 999999');
  return Number(value);
}

function readDuration(env: Environment, name: string, fallback: string): number {
  const value = env[name] || fallback;
  const ms = parseDuration(value);
  if (ms === undefined)
    throw new ConfigError(name, value, 'allowed are durations such as 90s, 15m or 1h30m, and 0 (never)');
  return ms;
}

/** No listener without a port: a desktop machine need not open one. */
function readPort(env: Environment): number | undefined {
  const value = env['HEALTH_PORT'];
  if (!value) return undefined;
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535)
    throw new ConfigError('HEALTH_PORT', value, 'allowed is a port from 0 (any free one) to 65535');
  return Number(value);
}

function readChoice<T extends string>(env: Environment, name: string, allowed: readonly T[], fallback: T): T {
  const value = env[name] || fallback;
  const choice = allowed.find((candidate) => candidate === value.toLowerCase());
  if (choice === undefined) throw new ConfigError(name, value, `allowed are ${allowed.join(', ')}`);
  return choice;
}
