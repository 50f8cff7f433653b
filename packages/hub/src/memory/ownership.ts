import type { AgentOwnership } from '../ports.js';

interface Owned {
  epoch: number;
  connectionId: string | undefined;
  fencingToken: number;
}

/** Ownership that lasts as long as this process: for tests, and for a control plane that keeps nothing. */
export function memoryOwnership(options: { now?: () => number } = {}): AgentOwnership {
  const now = options.now ?? Date.now;
  const agents = new Map<string, Owned>();
  return {
    async claim({ agentId, connectionId, fencingToken }) {
      const held = agents.get(agentId) ?? { epoch: 0, connectionId: undefined, fencingToken: 0 };
      if ((fencingToken ?? 0) < held.fencingToken)
        return {
          ok: false,
          code: 'fencing_token_too_low',
          message: `fencing token ${fencingToken ?? 'none'} is below ${held.fencingToken}, which was seen already`,
          highestFencingToken: held.fencingToken,
        };
      const epoch = Math.max(held.epoch + 1, now());
      agents.set(agentId, { epoch, connectionId, fencingToken: fencingToken ?? held.fencingToken });
      return { ok: true, epoch };
    },
    async release(agentId, connectionId, epoch) {
      const held = agents.get(agentId);
      if (held && held.epoch === epoch && held.connectionId === connectionId) held.connectionId = undefined;
    },
    async heard() {},
  };
}
