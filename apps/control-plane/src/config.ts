import { hostname } from 'node:os';
import { siteProblems, type SiteOptions } from '@streamspace/control-plane';
import { parseDuration } from './duration.js';
import { ConfigError, readPlace } from './early/place.mjs';
import { parseSize } from './size.js';
import { LOG_LEVELS, type LogLevel } from './log.js';

/** Shortest heartbeat timeout, in ms: agents report three times within it. */
const SHORTEST_HEARTBEAT_TIMEOUT_MS = 3_000;
/** Shortest silence after which a replica counts as dead, in ms: it reports three times within it. */
const SHORTEST_REPLICA_TIMEOUT_MS = 3_000;
/** A shorter secret could be found by trying. */
export const SHORTEST_SECRET_CHARS = 32;

/** A PostgreSQL server, as the DB_ variables name it. */
export interface ExternalDatabase {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly maxConnections: number;
  /** Connections that are kept while nobody uses them. */
  readonly minConnections: number;
  /** Age at which a connection is replaced, in ms; 0 is never. */
  readonly connectionLifetimeMs: number;
  /** Has the server keep the plans of statements; not behind a pooler in transaction mode. */
  readonly prepareStatements: boolean;
}

/** Everything that the environment says, read once. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** Absolute. Used in embedded mode only. */
  readonly dataFolder: string;
  /** Absent: embedded mode, with a database of our own in the data folder. */
  readonly externalDatabase: ExternalDatabase | undefined;
  /** Absent only in embedded mode, which makes one. */
  readonly jwtSecret: string | undefined;
  /** Absent: agent keys depend on the JWT secret. */
  readonly agentKeySecret: string | undefined;
  readonly podName: string;
  readonly replicaTimeoutMs: number;
  readonly logLevel: LogLevel;
  readonly heartbeatTimeoutMs: number;
  readonly vncIdleTimeoutMs: number;
  readonly viewersPerSession: number;
  readonly allowedOrigins: readonly string[];
  /** How people and proxies reach it. */
  readonly site: SiteOptions;
  readonly capacityWaitMs: number;
  /** 0 means unlimited. */
  readonly maxSessionsPerUser: number;
  readonly unisolatedAgents: 'admins' | 'everyone';
  readonly retention: {
    readonly commandsDays: number;
    readonly eventsDays: number;
    readonly auditDays: number;
  };
  /** Below this much free space in the data folder nothing more is stored; 0 is never. Embedded mode only. */
  readonly minFreeSpaceBytes: number;
  /** The VNC server of X desktops by its name or path, or `off`. Absent: Xtigervnc where it is installed. */
  readonly xvnc: string | undefined;
}

/**
 * Reads StreamSpace's variables; empty ones count as absent.
 *
 * @param folder what relative paths start from
 * @throws ConfigError naming the variable, its value (not a secret's) and what is allowed
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, folder: string): Config {
  const text = (name: string, fallback: string) => env[name] || fallback;
  const number = (name: string, fallback: string, least: number) =>
    wholeNumber(name, text(name, fallback), least, 1_000_000);
  const externalDatabase = env['DB_HOST'] ? readDatabase(env['DB_HOST'], env) : undefined;
  return {
    ...readPlace(env, folder),
    externalDatabase,
    jwtSecret: readSecret(env, 'JWT_SECRET', externalDatabase !== undefined),
    agentKeySecret: readSecret(env, 'AGENT_KEY_SECRET', false),
    podName: readPodName(text('POD_NAME', hostname())),
    replicaTimeoutMs: duration('REPLICA_TIMEOUT', text('REPLICA_TIMEOUT', '9s'), SHORTEST_REPLICA_TIMEOUT_MS),
    logLevel: readLogLevel(text('LOG_LEVEL', 'info')),
    heartbeatTimeoutMs: duration(
      'AGENT_HEARTBEAT_TIMEOUT',
      text('AGENT_HEARTBEAT_TIMEOUT', '30s'),
      SHORTEST_HEARTBEAT_TIMEOUT_MS,
    ),
    vncIdleTimeoutMs: duration('VNC_PROXY_TIMEOUT', text('VNC_PROXY_TIMEOUT', '5m'), 0),
    viewersPerSession: number('STREAMSPACE_VIEWERS_PER_SESSION', '32', 1),
    allowedOrigins: readOrigins(text('STREAMSPACE_ALLOWED_ORIGINS', '')),
    site: readSite(env),
    capacityWaitMs: duration('STREAMSPACE_CAPACITY_WAIT', text('STREAMSPACE_CAPACITY_WAIT', '5m'), 1_000),
    maxSessionsPerUser: number('STREAMSPACE_MAX_SESSIONS_PER_USER', '0', 0),
    unisolatedAgents: readUnisolated(text('STREAMSPACE_UNISOLATED_AGENTS', 'admins')),
    retention: {
      commandsDays: number('STREAMSPACE_COMMANDS_DAYS', '7', 1),
      eventsDays: number('STREAMSPACE_EVENTS_DAYS', '30', 1),
      auditDays: number('STREAMSPACE_AUDIT_DAYS', '365', 1),
    },
    minFreeSpaceBytes: size('MIN_FREE_SPACE', text('MIN_FREE_SPACE', '256MB')),
    xvnc: env['STREAMSPACE_XVNC'] || undefined,
  };
}

const SITE_VARIABLES = {
  publicUrl: 'PUBLIC_URL',
  trustProxy: 'TRUST_PROXY',
  hosts: 'ALLOWED_HOSTS',
} as const;

function readSite(env: Readonly<Record<string, string | undefined>>): SiteOptions {
  const names = Object.keys(SITE_VARIABLES) as (keyof typeof SITE_VARIABLES)[];
  const site = Object.fromEntries(names.map((name) => [name, env[SITE_VARIABLES[name]] || undefined]));
  const problems = siteProblems(site);
  for (const name of names) {
    const problem = problems[name];
    if (problem !== undefined) throw new ConfigError(SITE_VARIABLES[name], site[name] ?? '', problem);
  }
  return site;
}

function readUnisolated(value: string): 'admins' | 'everyone' {
  if (value === 'admins' || value === 'everyone') return value;
  throw new ConfigError('STREAMSPACE_UNISOLATED_AGENTS', value, 'allowed are admins and everyone');
}

function readDatabase(host: string, env: Readonly<Record<string, string | undefined>>): ExternalDatabase {
  const user = env['DB_USER'];
  if (!user)
    throw new ConfigError('DB_USER', '', 'missing; with DB_HOST the name of a PostgreSQL user is needed');
  const maxConnections = wholeNumber('DB_MAX_OPEN_CONNS', env['DB_MAX_OPEN_CONNS'] || '25', 1, 10_000);
  const idle = wholeNumber('DB_MAX_IDLE_CONNS', env['DB_MAX_IDLE_CONNS'] || '5', 0, 10_000);
  return {
    host,
    user,
    port: wholeNumber('DB_PORT', env['DB_PORT'] || '5432', 1, 65_535),
    name: env['DB_NAME'] || 'streamspace',
    password: env['DB_PASSWORD'] || undefined,
    maxConnections,
    minConnections: Math.min(idle, maxConnections),
    connectionLifetimeMs: duration('DB_CONN_MAX_LIFETIME', env['DB_CONN_MAX_LIFETIME'] || '5m', 0),
    prepareStatements: readSwitch(
      'STREAMSPACE_PREPARE_STATEMENTS',
      env['STREAMSPACE_PREPARE_STATEMENTS'] || 'off',
    ),
  };
}

function readSwitch(variable: string, value: string): boolean {
  if (value === 'on' || value === 'off') return value === 'on';
  throw new ConfigError(variable, value, 'allowed are on and off');
}

function readSecret(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  required: boolean,
): string | undefined {
  const secret = env[name] || undefined;
  const allowed = `allowed are ${SHORTEST_SECRET_CHARS} characters or more, for example from: openssl rand -base64 32`;
  if (secret === undefined) {
    if (required) throw new ConfigError(name, '', `missing; with DB_HOST it is needed; ${allowed}`);
    return undefined;
  }
  if (secret.length < SHORTEST_SECRET_CHARS)
    throw new ConfigError(name, '(not shown)', `${secret.length} characters long; ${allowed}`);
  return secret;
}

function readPodName(value: string): string {
  if (!/^[\x21-\x7e]{1,253}$/.test(value))
    throw new ConfigError('POD_NAME', value, 'allowed are 1 to 253 visible ASCII characters');
  return value;
}

function readLogLevel(value: string): LogLevel {
  const level = LOG_LEVELS.find((name) => name === value.toLowerCase());
  if (level === undefined) throw new ConfigError('LOG_LEVEL', value, `allowed are ${LOG_LEVELS.join(', ')}`);
  return level;
}

function readOrigins(value: string): string[] {
  const origins = value.split(',').flatMap((part) => part.trim() || []);
  for (const origin of origins) {
    if (!isOrigin(origin))
      throw new ConfigError(
        'STREAMSPACE_ALLOWED_ORIGINS',
        value,
        `"${origin}" is not an origin; allowed are origins with commas between, for example https://desk.example`,
      );
  }
  return origins;
}

/** As browsers send it: in its shortest form, without a path, user or trailing dot. */
function isOrigin(text: string): boolean {
  if (!/^https?:/.test(text) || !URL.canParse(text)) return false;
  const { origin, hostname } = new URL(text);
  return origin === text && !hostname.endsWith('.');
}

function duration(variable: string, value: string, leastMs: number): number {
  const ms = parseDuration(value);
  if (ms === undefined || ms < leastMs) {
    const least = leastMs > 0 ? `, of ${leastMs / 1000}s or more` : '';
    throw new ConfigError(variable, value, `allowed is a duration${least}, for example 30s, 5m or 1h30m`);
  }
  return ms;
}

function size(variable: string, value: string): number {
  const bytes = parseSize(value);
  if (bytes === undefined)
    throw new ConfigError(variable, value, 'allowed is a size, for example 256MB or 1GB, or 0 for no limit');
  return bytes;
}

function wholeNumber(variable: string, value: string, least: number, most: number): number {
  if (!/^\d{1,9}$/.test(value) || Number(value) < least || Number(value) > most)
    throw new ConfigError(variable, value, `allowed is a whole number from ${least} to ${most}`);
  return Number(value);
}
