import type { AgentOptions } from './agent.js';
import { alwaysLeader } from './election.js';

export type ResolvedAgentOptions = Required<Omit<AgentOptions, 'region'>> & { region: string | undefined };

const SCHEMES = ['ws:', 'wss:', 'http:', 'https:'];

function requireText(name: string, value: string): void {
  if (typeof value !== 'string' || value.length === 0 || value.length > 255)
    throw new RangeError(`${name} must be a text of 1 to 255 characters`);
}

/**
 * Fills in defaults and refuses what cannot work.
 *
 * @throws RangeError naming the option, its value (never the key's) and what is allowed
 */
export function resolveAgentOptions(options: AgentOptions): ResolvedAgentOptions {
  requireText('agentId', options.agentId);
  requireText('apiKey', options.apiKey);
  if (!URL.canParse(options.controlPlaneUrl) || !SCHEMES.includes(new URL(options.controlPlaneUrl).protocol))
    throw new RangeError(
      `controlPlaneUrl must be a ws, wss, http or https URL, not ${JSON.stringify(options.controlPlaneUrl)}`,
    );
  const reconnect = options.reconnect ?? { first: 250, longest: 15_000 };
  if (!(reconnect.first > 0 && reconnect.longest >= reconnect.first))
    throw new RangeError('reconnect needs 0 < first <= longest, in ms');
  const stopTimeoutMs = options.stopTimeoutMs ?? 10_000;
  if (!(stopTimeoutMs >= 0)) throw new RangeError('stopTimeoutMs must be at least 0');
  const onError = guarded(options.onError);
  return {
    agentId: options.agentId,
    controlPlaneUrl: options.controlPlaneUrl,
    apiKey: options.apiKey,
    platform: options.platform,
    region: options.region,
    capacity: options.capacity ?? { maxSessions: 0 },
    election: options.election ?? alwaysLeader(),
    reconnect,
    stopTimeoutMs,
    onEvent: guarded(options.onEvent, (error) => onError(error, 'onEvent')),
    onError,
  };
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
