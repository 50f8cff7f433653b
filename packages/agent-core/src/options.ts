import type { AgentOptions } from './agent.js';
import { alwaysLeader } from './election.js';
import { requireSecure } from './insecure-url.js';

export type ResolvedAgentOptions = Required<Omit<AgentOptions, 'region' | 'reconnect'>> & {
  region: string | undefined;
  reconnect: Required<NonNullable<AgentOptions['reconnect']>>;
};

const SCHEMES = ['ws:', 'wss:', 'http:', 'https:'];
/** Longest time that a timer can wait for, in ms. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Fills in defaults and refuses what cannot work.
 *
 * @throws RangeError naming the option, its value (never the key's) and what is allowed
 * @throws AgentError `insecure_url`
 */
export function resolveAgentOptions(options: AgentOptions): ResolvedAgentOptions {
  requireText('agentId', options.agentId);
  requireHeader('apiKey', options.apiKey);
  if (!URL.canParse(options.controlPlaneUrl) || !SCHEMES.includes(new URL(options.controlPlaneUrl).protocol))
    throw new RangeError(
      `controlPlaneUrl must be a ws, wss, http or https URL, not ${JSON.stringify(options.controlPlaneUrl)}`,
    );
  const allowInsecureControlPlane = options.allowInsecureControlPlane === true;
  requireSecure(options.controlPlaneUrl, allowInsecureControlPlane);
  const { first, longest, superseded = 30_000 } = options.reconnect ?? { first: 250, longest: 15_000 };
  if (!(first > 0 && longest >= first && longest <= LONGEST_MS))
    throw new RangeError(
      `reconnect needs 0 < first <= longest <= ${LONGEST_MS}, in ms, not first ${first}, longest ${longest}`,
    );
  const onError = guarded(options.onError);
  return {
    agentId: options.agentId,
    controlPlaneUrl: options.controlPlaneUrl,
    allowInsecureControlPlane,
    apiKey: options.apiKey,
    platform: options.platform,
    region: options.region,
    labels: labelsOf(options),
    capacity: capacityOf(options),
    election: options.election ?? alwaysLeader(),
    reconnect: { first, longest, superseded: time('reconnect.superseded', superseded, 0) },
    parallelCommands: whole('parallelCommands', options.parallelCommands ?? 16, 1, 1_024),
    idleAfterMs: time('idleAfterMs', options.idleAfterMs ?? 900_000, 0),
    usageIntervalMs: time('usageIntervalMs', options.usageIntervalMs ?? 300_000, 0),
    pollIntervalMs: time('pollIntervalMs', options.pollIntervalMs ?? 10_000, 1),
    stopTimeoutMs: time('stopTimeoutMs', options.stopTimeoutMs ?? 10_000, 0),
    onEvent: guarded(options.onEvent, (error) => onError(error, 'onEvent')),
    onError,
  };
}

function requireText(name: string, value: string): void {
  if (typeof value !== 'string' || value.length === 0 || value.length > 255)
    throw new RangeError(`${name} must be a text of 1 to 255 characters`);
}

/**
 * What goes into a header and is secret. Refused here, since whoever refuses it later does so in words that quote it, and
 * those would be logged.
 */
function requireHeader(name: string, value: string): void {
  requireText(name, value);
  if (!/^[!-~](?:[ -~]*[!-~])?$/.test(value))
    throw new RangeError(
      `${name} must be printable ASCII characters without a space or a line break at either end, so that it can be sent as a header`,
    );
}

function whole(name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${name} must be a whole number from ${least} to ${most}, not ${value}`);
}

function time(name: string, value: number, least: number): number {
  if (value >= least && value <= LONGEST_MS) return value;
  throw new RangeError(`${name} must be a time from ${least} to ${LONGEST_MS} ms, not ${value}`);
}

/** Labels of one agent. */
const MOST_LABELS = 64;

function labelsOf({ labels = {} }: AgentOptions): ResolvedAgentOptions['labels'] {
  const entries = Object.entries(labels);
  if (entries.length > MOST_LABELS)
    throw new RangeError(`labels must be at most ${MOST_LABELS}, not ${entries.length}`);
  for (const [name, value] of entries)
    if (name.length < 1 || name.length > 255 || typeof value !== 'string' || value.length > 255)
      throw new RangeError(
        `labels.${name.slice(0, 80)} must be a text of at most 255 characters, with a name of 1 to 255`,
      );
  return labels;
}

function capacityOf({ capacity = { maxSessions: 0 } }: AgentOptions): ResolvedAgentOptions['capacity'] {
  whole('capacity.maxSessions', capacity.maxSessions, 0, Number.MAX_SAFE_INTEGER);
  for (const name of ['maxCpu', 'maxMemory'] as const) {
    const value = capacity[name];
    if (value !== undefined && !(Number.isFinite(value) && value >= 0))
      throw new RangeError(`capacity.${name} must be a number of at least 0 (0 is unlimited), not ${value}`);
  }
  return capacity;
}

/** The caller's callback, which cannot break the agent: what it throws is reported, where that is possible. */
function guarded<A extends unknown[]>(
  callback: ((...args: A) => void) | undefined,
  report: (error: unknown) => void = () => undefined,
): (...args: A) => void {
  return (...args) => {
    try {
      callback?.(...args);
    } catch (error) {
      report(error);
    }
  };
}
