import { creditBudget } from '@streamspace/vnc-tunnel';
import type { AgentHubOptions } from './hub.js';
import { memoryBackend } from './memory/backend.js';

export type ResolvedHubOptions = Required<AgentHubOptions>;

const positive = {
  heartbeatIntervalMs: 10_000,
  heartbeatTimeoutMs: 30_000,
  inventoryIntervalMs: 60_000,
  ackTimeoutMs: 10_000,
  sweepIntervalMs: 1_000,
  commandWindow: 32,
  streamsPerAgent: 4_096,
  openTimeoutMs: 10_000,
};

/** Fills in defaults and refuses what cannot work. */
export function resolveHubOptions(options: AgentHubOptions): ResolvedHubOptions {
  if (!options.podName) throw new RangeError('podName must name this replica');
  const numbers = { ...positive };
  for (const name of Object.keys(positive) as (keyof typeof positive)[]) {
    const value = options[name] ?? positive[name];
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${name} must be a whole number of at least 1, not ${value}`);
    numbers[name] = value;
  }
  if (numbers.heartbeatTimeoutMs <= numbers.heartbeatIntervalMs)
    throw new RangeError(
      `heartbeatTimeoutMs (${numbers.heartbeatTimeoutMs}) must be above heartbeatIntervalMs (${numbers.heartbeatIntervalMs})`,
    );
  const onError = quiet(options.onError);
  return {
    ...numbers,
    podName: options.podName,
    ownership: options.ownership,
    commands: options.commands,
    backend: options.backend ?? memoryBackend({ podName: options.podName }),
    creditBudget: options.creditBudget ?? creditBudget(),
    onEvent: options.onEvent ?? (() => undefined),
    onError,
  };
}

/** A reporter that throws has nobody left to report to, and must not take a connection with it. */
function quiet(report: AgentHubOptions['onError']): ResolvedHubOptions['onError'] {
  return (error, where) => {
    try {
      report?.(error, where);
    } catch {
      // See above.
    }
  };
}
