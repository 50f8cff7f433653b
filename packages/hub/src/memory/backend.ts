import type { HubBackend } from '../ports.js';

/** For a control plane of one replica: everything is in this process. */
export function memoryBackend(options: { podName: string }): HubBackend {
  const epochs = new Map<string, number>();
  const listeners = new Set<(agentId: string) => void>();
  return {
    async announce(agentId, epoch) {
      if (epoch >= (epochs.get(agentId) ?? 0)) epochs.set(agentId, epoch);
    },
    async withdraw(agentId, epoch) {
      if (epochs.get(agentId) === epoch) epochs.delete(agentId);
    },
    async locate(agentId) {
      const epoch = epochs.get(agentId);
      return epoch === undefined ? undefined : { podName: options.podName, epoch };
    },
    async wake(podName, agentId) {
      if (podName === options.podName) for (const listener of listeners) listener(agentId);
    },
    onWake(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      listeners.clear();
      epochs.clear();
    },
  };
}
