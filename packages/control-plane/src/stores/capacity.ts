import type { Capacity } from '@streamspace/protocol';

/** A capacity as `agents.capacity` has it. */
export interface CapacityJson {
  max_sessions: number;
  max_cpu?: number;
  max_memory?: number;
}

export const capacityToJson = (capacity: Capacity): CapacityJson => ({
  max_sessions: capacity.maxSessions,
  ...(capacity.maxCpu !== undefined && { max_cpu: capacity.maxCpu }),
  ...(capacity.maxMemory !== undefined && { max_memory: capacity.maxMemory }),
});
