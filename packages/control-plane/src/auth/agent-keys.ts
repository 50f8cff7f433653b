import { randomBytes } from 'node:crypto';
import { AGENT_ID_ALLOWED, isAgentId } from '../domain/agent-id.js';
import { Refusal } from '../domain/errors.js';
import type { AgentKeyStore } from './ports.js';
import { hmac, sameBytes } from './secrets.js';

const KEY = /^[0-9a-f]{64}$/;

/** Keys by which agents prove who they are: one for each, stored as a keyed hash. */
export class AgentKeys {
  readonly #agents: AgentKeyStore;
  readonly #hashKey: Uint8Array;

  constructor(agents: AgentKeyStore, hashKey: Uint8Array) {
    this.#agents = agents;
    this.#hashKey = hashKey;
  }

  /** @throws Refusal `invalid_field` */
  async issue(agentId: string): Promise<string> {
    if (!isAgentId(agentId))
      throw new Refusal(
        'invalid_field',
        `agent_id must be ${AGENT_ID_ALLOWED}, not ${JSON.stringify(agentId.slice(0, 80))}.`,
      );
    const key = randomBytes(32).toString('hex');
    await this.#agents.setKeyHash(agentId, hmac(this.#hashKey, key));
    return key;
  }

  /** @throws Refusal `agent_key_missing`, or `agent_key_invalid`, also for an agent that is not known */
  async authenticate(agentId: string, key: string | undefined): Promise<void> {
    if (key === undefined || key === '')
      throw new Refusal('agent_key_missing', 'The header X-Agent-API-Key is missing.', { remedy: REMEDY });
    const stored = await this.#agents.keyHash(agentId);
    const given = hmac(this.#hashKey, key);
    if (!KEY.test(key) || !stored || !sameBytes(stored, given))
      throw new Refusal('agent_key_invalid', `This key is not the one of agent ${agentId.slice(0, 64)}.`, {
        remedy: REMEDY,
      });
  }
}

const REMEDY = 'An administrator gets a key for an agent from POST /api/v1/admin/agents.';
