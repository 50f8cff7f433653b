import type { Action, Capacity } from '@streamspace/protocol';

/** What an agent says of itself when it asks for ownership. */
export interface ClaimRequest {
  readonly agentId: string;
  /** Random per connection. */
  readonly connectionId: string;
  /** Random per process start of the agent. */
  readonly instanceId: string;
  readonly fencingToken?: number;
  readonly platform: string;
  readonly region?: string;
  readonly capacity: Capacity;
}

export type Claim =
  | { readonly ok: true; readonly epoch: number }
  | {
      readonly ok: false;
      readonly code: 'agent_unknown' | 'fencing_token_too_low' | 'duplicate_instance';
      readonly message: string;
      readonly highestFencingToken?: number;
      readonly incumbent?: string;
    };

/**
 * Who owns an agent. The newest claim wins.
 *
 * An implementation MUST hand out epochs that only grow per agent, over restarts and restored backups too
 * (next = the greater of epoch + 1 and now in ms), MUST refuse a fencing token below the highest seen, and none once there
 * was one, and MUST ignore a release by anything but the current connection.
 */
export interface AgentOwnership {
  claim(request: ClaimRequest): Promise<Claim>;
  /** The connection is gone: the agent is offline, unless a newer connection has claimed it. */
  release(agentId: string, connectionId: string, epoch: number): Promise<void>;
  /** The agent was heard of. Cheap; MAY be batched. Ignored when the epoch is not the current one. */
  heard(
    agentId: string,
    epoch: number,
    report: { status: 'online' | 'draining'; activeSessions: number },
  ): Promise<void>;
}

/** States of a command. They only move to the right; the last two are final. */
export const COMMAND_STATES = ['pending', 'sent', 'ack', 'completed', 'failed'] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

export interface NewCommand {
  readonly commandId: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly generation: number;
  readonly action: Action;
  readonly payload: Readonly<Record<string, unknown>>;
  /** ms since the epoch; past it the command fails. */
  readonly deadline: number;
}

export interface Command extends NewCommand {
  /** Order within the session, from 1. */
  readonly seq: number;
  readonly state: CommandState;
  /** How often it was handed out for sending. */
  readonly attempts: number;
}

export type Outcome =
  | { readonly state: 'completed'; readonly result?: Readonly<Record<string, unknown>> }
  | { readonly state: 'failed'; readonly error: string; readonly code?: string };

/**
 * The durable list of commands. The database behind it is the truth; the hub only asks.
 *
 * An implementation MUST move a command's state forward only, MUST have at most one command of a session handed out
 * and not finished at any moment, in the order of `seq`, and MUST hand a command out once per epoch.
 */
export interface CommandQueue {
  enqueue(command: NewCommand): Promise<Command>;
  /**
   * Hands out up to `limit` commands to be sent now under this epoch, each as `sent`: those never sent, and those that
   * were sent under an earlier epoch and have no result. None when the epoch is not the agent's current one.
   */
  claim(agentId: string, epoch: number, limit: number): Promise<Command[]>;
  /** The agent has taken the command. Without effect when it is further already. */
  acknowledge(commandId: string, agentId: string): Promise<void>;
  /**
   * The first outcome is kept; resolves with whether this was the first.
   * An outcome of another agent than the command's is ignored.
   */
  finish(commandId: string, agentId: string, outcome: Outcome): Promise<boolean>;
  /** Fails what is past its deadline; resolves with what was failed, with the state that it had. */
  expire(now: number): Promise<Command[]>;
}

/**
 * How replicas find each other's agents and wake each other. Holds only what can be lost.
 */
export interface HubBackend extends AsyncDisposable {
  /** This replica holds the agent's connection. */
  announce(agentId: string, epoch: number): Promise<void>;
  withdraw(agentId: string, epoch: number): Promise<void>;
  /** Which replica holds the agent's connection, as far as is known. */
  locate(agentId: string): Promise<{ podName: string; epoch: number } | undefined>;
  /** There may be commands for this agent. A hint: it may be lost, and may come twice. */
  wake(podName: string, agentId: string): Promise<void>;
  /** Calls back for each wake-up meant for this replica. Returns how to stop. */
  onWake(listener: (agentId: string) => void): () => void;
}
