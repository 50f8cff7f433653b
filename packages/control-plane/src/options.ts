import type { Authenticate } from './auth/own-accounts.js';
import type { ControlPlaneOptions } from './control-plane.js';
import { isDnsLabel } from './domain/session.js';
import type { Template, TemplateSeed } from './domain/template.js';
import { ControlPlaneError } from './errors.js';
import type { ControlPlaneEvent } from './events.js';
import { isWebOrigin } from './http/origin.js';
import type { ResolvedSite } from './http/site.js';
import { parseHosts, parsePublicUrl, parseTrustProxy, type Parsed } from './http/site-options.js';
import type { Retention } from './stores/retention.js';
import { DEAD_MS } from './stores/replicas.js';

export interface ResolvedOptions extends Pick<ControlPlaneOptions, 'database' | 'backend' | 'signal'> {
  readonly podName: string;
  readonly replicaTimeoutMs: number;
  readonly soleReplica: boolean;
  readonly jwtSecret: string;
  readonly agentKeySecret: string;
  readonly templates: readonly Template[];
  readonly vncIdleTimeoutMs: number;
  readonly viewerWaitMs: number;
  readonly viewerAgentWaitMs: number;
  readonly viewersPerSession: number;
  readonly site: ResolvedSite;
  readonly pageUrl: (sessionId: string, mount: string) => string | null;
  readonly commandTimeoutMs: number;
  readonly capacityWaitMs: number;
  readonly maxSessionsPerUser: number;
  readonly unisolatedAgents: 'admins' | 'everyone';
  readonly retention: Retention;
  readonly probes: boolean;
  readonly authenticate?: Authenticate;
  readonly storage: NonNullable<ControlPlaneOptions['storage']>;
  readonly hub: NonNullable<ControlPlaneOptions['hub']>;
  readonly onEvent: (event: ControlPlaneEvent) => void;
  readonly onError: (error: unknown, where: string) => void;
}

const SECRET_CHARS = 32;
const POD_NAME_CHARS = 253;
/** Shorter ones would take a busy replica for a dead one. */
const SHORTEST_DEAD_MS = 300;
/** What a Node timer can hold. */
const LONGEST_MS = 2_147_483_647;

/** Fills in defaults. @throws ControlPlaneError `invalid_option`, naming the option, its value and what is allowed */
export function resolveOptions(given: ControlPlaneOptions): ResolvedOptions {
  const { database, podName, jwtSecret, agentKeySecret } = given;
  if (typeof database?.query !== 'function' || typeof database.transaction !== 'function')
    throw invalid(
      'database',
      typeof database,
      'a Database, for example from pgliteDatabase() or pgDatabase()',
    );
  if (typeof podName !== 'string' || podName.length < 1 || podName.length > POD_NAME_CHARS)
    throw invalid('podName', podName, `a text of 1 to ${POD_NAME_CHARS} characters`);
  const onError = quietly(given.onError);
  return {
    database,
    podName,
    replicaTimeoutMs: duration('replicaTimeoutMs', given.replicaTimeoutMs, DEAD_MS, SHORTEST_DEAD_MS),
    soleReplica: given.soleReplica ?? false,
    ...(given.signal && { signal: given.signal }),
    jwtSecret: secret('jwtSecret', jwtSecret),
    agentKeySecret: agentKeySecret === undefined ? jwtSecret : secret('agentKeySecret', agentKeySecret),
    templates: (given.templates ?? []).map(resolveTemplate),
    vncIdleTimeoutMs: duration('vncIdleTimeoutMs', given.vncIdleTimeoutMs, 300_000, 0),
    viewerWaitMs: duration('viewerWaitMs', given.viewerWaitMs, 20_000, 0),
    viewerAgentWaitMs: duration('viewerAgentWaitMs', given.viewerAgentWaitMs, 5_000, 0),
    viewersPerSession: count('viewersPerSession', given.viewersPerSession, 32, 1),
    commandTimeoutMs: duration('commandTimeoutMs', given.commandTimeoutMs, 120_000, 1),
    capacityWaitMs: duration('capacityWaitMs', given.capacityWaitMs, 300_000, 1),
    maxSessionsPerUser: count('maxSessionsPerUser', given.maxSessionsPerUser, 0, 0),
    unisolatedAgents: unisolated(given.unisolatedAgents),
    retention: {
      commandsDays: count('retention.commandsDays', given.retention?.commandsDays, 7, 1),
      eventsDays: count('retention.eventsDays', given.retention?.eventsDays, 30, 1),
      auditDays: count('retention.auditDays', given.retention?.auditDays, 365, 1),
    },
    site: {
      publicUrl: parsed('publicUrl', parsePublicUrl(given.publicUrl)),
      trust: parsed('trustProxy', parseTrustProxy(given.trustProxy)),
      hosts: parsed('hosts', parseHosts(given.hosts)),
      allowedOrigins: new Set((given.allowedOrigins ?? []).map(resolveOrigin)),
    },
    pageUrl: resolvePageUrl(given.pageUrl, onError),
    probes: given.probes ?? true,
    ...(given.authenticate && { authenticate: authenticateOf(given.authenticate) }),
    storage: given.storage ?? (async () => undefined),
    hub: given.hub ?? {},
    ...(given.backend && { backend: given.backend }),
    onError,
    onEvent: (event) => {
      try {
        given.onEvent?.(event);
      } catch (error) {
        onError(error, `onEvent of ${event.type}`);
      }
    },
  };
}

/** The caller's own function for errors cannot break us, and there is nobody left to tell. */
function quietly(onError: ControlPlaneOptions['onError']): (error: unknown, where: string) => void {
  return (error, where) => {
    try {
      onError?.(error, where);
    } catch {
      // Nothing can be told to a function that fails when it is told something.
    }
  };
}

function secret(name: string, value: unknown): string {
  if (typeof value === 'string' && value.length >= SECRET_CHARS) return value;
  const was = typeof value === 'string' ? `one of ${value.length}` : typeof value;
  throw new ControlPlaneError(
    'invalid_option',
    `${name} must be a text of at least ${SECRET_CHARS} characters, not ${was}`,
  );
}

function duration(name: string, value: number | undefined, fallback: number, least: number): number {
  if (value === undefined) return fallback;
  if (Number.isSafeInteger(value) && value >= least && value <= LONGEST_MS) return value;
  throw invalid(name, value, `a whole number of ms from ${least} to ${LONGEST_MS}`);
}

/** What an int4 holds; more than anybody has of anything here. */
const LARGEST_COUNT = 2_147_483_647;

function count(name: string, value: number | undefined, fallback: number, least: number): number {
  if (value === undefined) return fallback;
  if (Number.isSafeInteger(value) && value >= least && value <= LARGEST_COUNT) return value;
  throw invalid(name, value, `a whole number from ${least} to ${LARGEST_COUNT}`);
}

function authenticateOf(value: unknown): Authenticate {
  if (typeof value === 'function') return value as Authenticate;
  throw invalid('authenticate', typeof value, 'a function');
}

function unisolated(value: unknown): 'admins' | 'everyone' {
  if (value === undefined || value === 'admins') return 'admins';
  if (value === 'everyone') return value;
  throw invalid('unisolatedAgents', value, '"admins" or "everyone"');
}

function parsed<T>(name: string, found: Parsed<T>): T {
  if ('value' in found) return found.value;
  throw new ControlPlaneError('invalid_option', `${name} ${found.problem}`);
}

function resolveOrigin(origin: string): string {
  if (isWebOrigin(origin)) return origin;
  throw invalid(
    'allowedOrigins',
    origin,
    'origins of http or https such as https://desk.example, without a path',
  );
}

function resolvePageUrl(
  pageUrl: ControlPlaneOptions['pageUrl'],
  onError: ResolvedOptions['onError'],
): ResolvedOptions['pageUrl'] {
  if (pageUrl === undefined) return () => null;
  if (typeof pageUrl !== 'function')
    throw invalid('pageUrl', pageUrl, 'a function of a session’s id and the mount');
  return (sessionId, mount) => {
    try {
      return pageUrl(sessionId, mount);
    } catch (error) {
      onError(error, `pageUrl of session ${sessionId}`);
      return null;
    }
  };
}

function resolveTemplate(seed: TemplateSeed): Template {
  const { name } = seed;
  if (typeof name !== 'string' || !isDnsLabel(name))
    throw invalid('templates[].name', name, '1 to 63 lower-case letters, digits and hyphens');
  return {
    name,
    displayName: seed.displayName ?? name,
    description: seed.description ?? '',
    appType: seed.appType ?? 'desktop',
    platform: seed.platform ?? null,
    manifest: seed.manifest ?? { metadata: { name }, spec: {} },
  };
}

const invalid = (name: string, value: unknown, allowed: string): ControlPlaneError =>
  new ControlPlaneError(
    'invalid_option',
    `${name} must be ${allowed}, not ${JSON.stringify(value) ?? String(value)}`,
  );
