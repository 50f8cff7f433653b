import { describe, it } from 'vitest';
import { memoryCommandQueue, memoryOwnership } from '../src/index.js';
import { agentOwnershipSuite, commandQueueSuite } from '../src/testing/index.js';

commandQueueSuite({ describe, it }, async () => {
  const epochs = new Map<string, number>();
  const nextEpoch = async (agentId: string): Promise<{ epoch: number }> => {
    const epoch = (epochs.get(agentId) ?? 0) + 1;
    epochs.set(agentId, epoch);
    return { epoch };
  };
  return {
    queue: memoryCommandQueue(),
    addAgent: nextEpoch,
    nextEpoch,
    addSession: async () => undefined,
    maxAttempts: 10,
  };
});

agentOwnershipSuite({ describe, it }, async () => {
  const ownership = memoryOwnership();
  return {
    ownership,
    addAgent: async () => undefined,
    capacityOf: async (agentId) => ownership.capacityOf(agentId),
  };
});
