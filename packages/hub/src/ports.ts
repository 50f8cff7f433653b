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
 *
 * Two processes with one agent's key would take it from each other for ever. So a claim by another instance than the one
 * whose connection is held MUST be refused as `duplicate_instance`, naming that one, when it would be the third such
 * change within {@link INSTANCE_CHANGE_WINDOW_MS}. A higher fencing token than any before is proof of an election, and
 * is never refused for this.
 */
export interface AgentOwnership {
  claim(request: ClaimRequest): Promise<Claim>;
  /**
   * The connection is gone: the agent is offline, unless a newer connection has claimed it. Its epoch is closed: a report
   * of it that comes later MUST NOT bring the agent back. A release that rejects is repeated by the implementation until
   * it is written, the agent is claimed again, or the implementation is closed.
   */
  release(agentId: string, connectionId: string, epoch: number): Promise<void>;
  /**
   * The agent was heard of. Cheap. A change of status is written before this resolves; the rest MAY be kept in memory
   * for a while, also over a failure of what is behind it. Ignored when the epoch is not the current one.
   */
  heard(agentId: string, epoch: number, report: AgentReport): Promise<void>;
  /**
   * Calls back when it turns out that an agent has a newer epoch than the one that `heard` was told of: another replica
   * holds its connection. MAY come late, or not at all. Returns how to stop.
   */
  onSuperseded?(listener: (replaced: AgentEpoch) => void): () => void;
  /** Writes what `heard` still keeps. The hub calls it when it closes; MUST NOT fail because there is nothing. */
  flush?(): Promise<void>;
}

/** What an agent says of itself now and then. */
export interface AgentReport {
  readonly status: 'online' | 'draining';
  readonly activeSessions: number;
  /**
   * What it has room for now, where that is another than it said before on this connection. MUST be kept as that of its
   * claim is, and MUST NOT be lost because a later report that has none comes before it is written.
   */
  readonly capacity?: Capacity;
}

/** Time within which an agent's connection may be taken over by another instance twice, in ms. */
export const INSTANCE_CHANGE_WINDOW_MS = 60_000;

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

/** What was handed out and is not acknowledged for so long, in ms, may have reached nobody. */
export const LOST_AFTER_MS = 20_000;

/** An agent's connection, as far as commands are concerned. */
export interface AgentEpoch {
  readonly agentId: string;
  readonly epoch: number;
}

/**
 * The durable list of commands. The database behind it is the truth; the hub only asks.
 *
 * An implementation MUST move a command's state forward only, MUST have at most one command of a session handed out
 * and not finished at any moment, in the order of `seq`, and MUST hand a command out once per epoch, unless it is
 * recalled. A `stop_session` that is enqueued MUST cancel a start or a wake of that session, for the same agent, that
 * nobody was sent yet. A command that was handed out as often as it may be MUST fail with `attempts_exhausted` when it
 * comes up again. What was handed out and then given up, by this or by `expire`, MUST be undone by a command of the
 * same generation: a start by a `stop_session`, a wake by a `hibernate_session`, unless something was asked of the
 * session after that wake.
 *
 * Any call MAY reject with a database's error whose `shouldRetry` says whether the same call may work later; whether it
 * took effect is unknown then, and all of them may be repeated.
 */
export interface CommandQueue {
  /**
   * Takes a command, once: a known id gives what is there.
   *
   * @throws HubError `session_not_found` where the store wants to know sessions
   */
  enqueue(command: NewCommand): Promise<Command>;
  /**
   * Hands out up to `limit` commands to be sent now under this epoch, each as `sent`: those never sent, and those that
   * were sent under an earlier epoch and have no result. None when the epoch is not the agent's current one.
   */
  claim(agentId: string, epoch: number, limit: number): Promise<Command[]>;
  /**
   * The answer to a claim was lost: what counts as handed out under this epoch and is not among `held` can be claimed
   * again. It MUST go on counting as sent, attempts included: the agent may have it all the same, so a `stop_session`
   * goes behind it.
   */
  recall(agentId: string, epoch: number, held: readonly string[]): Promise<void>;
  /**
   * Which of these agents `claim` would have something for, or `recall`, because something was handed out under the
   * same epoch and not acknowledged for {@link LOST_AFTER_MS}: one question for all agents of a replica.
   */
  waiting(agents: readonly AgentEpoch[]): Promise<string[]>;
  /**
   * The agent has connected anew and says to be at these commands: those of them that have no result count as handed
   * out under this epoch and acknowledged, without another attempt. Resolves with their ids.
   */
  resume(agentId: string, epoch: number, commandIds: readonly string[]): Promise<string[]>;
  /**
   * The agent has taken the command. Without effect when it is further already.
   *
   * @throws HubError `stale_epoch` when `epoch`, of the connection that says so, is not the agent's newest; then
   * nothing has changed
   */
  acknowledge(commandId: string, agentId: string, epoch?: number): Promise<void>;
  /**
   * The first outcome is kept; resolves with whether this was the first.
   * An outcome of another agent than the command's is ignored.
   *
   * @throws HubError `stale_epoch` as above
   */
  finish(commandId: string, agentId: string, outcome: Outcome, epoch?: number): Promise<boolean>;
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
