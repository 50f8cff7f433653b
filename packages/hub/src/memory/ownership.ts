import type { Capacity } from '@streamspace/protocol';
import { INSTANCE_CHANGE_WINDOW_MS, type AgentOwnership, type Claim, type ClaimRequest } from '../ports.js';

interface Owned {
  readonly epoch: number;
  /** `undefined` once it was released. */
  connectionId: string | undefined;
  readonly instanceId: string;
  readonly fencingToken: number;
  /** When another instance took the connection over, the last two times, in ms. */
  readonly changes: readonly number[];
  capacity: Capacity;
}

/** Ownership in memory, and what else it knows of agents. */
export interface MemoryOwnership extends AgentOwnership {
  /** What the agent said last that it has room for; `undefined` where it was never claimed. */
  capacityOf(agentId: string): Capacity | undefined;
}

/** Ownership that lasts as long as this process: for tests, and for a control plane that keeps nothing. */
export function memoryOwnership(options: { now?: () => number } = {}): MemoryOwnership {
  const now = options.now ?? Date.now;
  const agents = new Map<string, Owned>();
  return {
    async claim(request) {
      const { agentId, connectionId, instanceId, fencingToken, capacity } = request;
      const held = agents.get(agentId);
      const refusal = held && refusalOf(held, request, now());
      if (refusal) return refusal;
      const epoch = Math.max((held?.epoch ?? 0) + 1, now());
      const changes = held && isTakeover(held, request) ? [...held.changes, now()].slice(-2) : held?.changes;
      agents.set(agentId, {
        epoch,
        connectionId,
        instanceId,
        fencingToken: fencingToken ?? held?.fencingToken ?? 0,
        changes: changes ?? [],
        capacity: { ...held?.capacity, ...capacity },
      });
      return { ok: true, epoch };
    },
    async release(agentId, connectionId, epoch) {
      const held = agents.get(agentId);
      if (held && held.epoch === epoch && held.connectionId === connectionId) held.connectionId = undefined;
    },
    async heard(agentId, epoch, { capacity }) {
      const held = agents.get(agentId);
      if (held?.epoch === epoch && held.connectionId !== undefined)
        held.capacity = { ...held.capacity, ...capacity };
    },
    capacityOf: (agentId) => agents.get(agentId)?.capacity,
  };
}

const isTakeover = (held: Owned, { instanceId }: ClaimRequest): boolean =>
  held.connectionId !== undefined && held.instanceId !== instanceId;

function refusalOf(held: Owned, request: ClaimRequest, now: number): Claim | undefined {
  const token = request.fencingToken ?? 0;
  if (token < held.fencingToken)
    return {
      ok: false,
      code: 'fencing_token_too_low',
      message: `fencing token ${request.fencingToken ?? 'none'} is below ${held.fencingToken}, which was seen already`,
      highestFencingToken: held.fencingToken,
    };
  const recent = held.changes.filter((at) => at > now - INSTANCE_CHANGE_WINDOW_MS);
  if (token > held.fencingToken || !isTakeover(held, request) || recent.length < 2) return undefined;
  return {
    ok: false,
    code: 'duplicate_instance',
    message: `instance ${held.instanceId} holds this agent's connection and was replaced twice within ${INSTANCE_CHANGE_WINDOW_MS / 1000} s: is the agent's key used twice?`,
    incumbent: held.instanceId,
  };
}
