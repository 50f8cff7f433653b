import type { AgentPayloads } from '@streamspace/protocol';
import type { TunnelStats } from '@streamspace/vnc-tunnel';
import type { AgentLink } from './agent-link.js';
import type { StaleFrame } from './counters.js';
import type { ResolvedHubOptions } from './options.js';

/** What a link asks of the hub that holds it. */
export interface LinkOwner {
  readonly options: ResolvedHubOptions;
  /** The claim went through: this is the agent's connection from now on. */
  activated(link: AgentLink): Promise<void>;
  /** The socket is down. Called once, for links that were activated. */
  ended(link: AgentLink, reason: string): Promise<void>;
  /** Its streams are over, and this is what they came to. Called once, for links that had a tunnel. */
  streamsEnded(stats: TunnelStats): void;
  /** Whether this is the agent's connection, as far as this replica knows. */
  isCurrent(link: AgentLink): boolean;
  /** A frame of a connection that was replaced was dropped. */
  stale(frame: StaleFrame): void;
  /** An outcome was not the first of its command. */
  duplicateResult(): void;
  /** A command was sent that had been sent before. */
  redelivered(): void;
  inventory(link: AgentLink, inventory: AgentPayloads['inventory']): Promise<void>;
  status(link: AgentLink, status: AgentPayloads['status']): Promise<void>;
  sessionEvent(link: AgentLink, event: AgentPayloads['session_event']): Promise<void>;
}
