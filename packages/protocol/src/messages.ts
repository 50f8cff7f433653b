import { amount, count, id, json, list, name, object, oneOf, optional, text, type Infer } from './shape.js';

/** What a session can be asked to do; the names are those of StreamSpace's command types. */
export const ACTIONS = ['start_session', 'stop_session', 'hibernate_session', 'wake_session'] as const;
export type Action = (typeof ACTIONS)[number];

/** States of a session. `failed` carries a reason; the others are StreamSpace's. */
export const SESSION_STATES = [
  'pending',
  'running',
  'hibernated',
  'terminating',
  'terminated',
  'failed',
] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** What a platform can report of a session that it holds. */
export const OBSERVED_STATES = ['starting', 'running', 'hibernated', 'stopped', 'failed'] as const;
export type ObservedState = (typeof OBSERVED_STATES)[number];

/** Capacity of an agent. 0 means unlimited. `maxCpu` in cores, `maxMemory` in GB. */
const capacity = object({
  maxSessions: count(),
  maxCpu: optional(amount),
  maxMemory: optional(amount),
});
export type Capacity = Infer<typeof capacity>;

/** What a session looks like on the platform, and which command last changed it. */
const inventoryEntry = object({
  sessionId: id,
  generation: count(),
  commandId: id,
  state: oneOf(...OBSERVED_STATES),
});
export type InventoryEntry = Infer<typeof inventoryEntry>;

const completed = object({
  commandId: id,
  /** Facts of the outcome, for example `{state, platformMetadata}`. */
  result: optional(json),
});
const failed = object({
  commandId: id,
  /** A sentence for people. */
  error: text(),
  /** A stable word for programs, for example `image_missing`. */
  code: optional(id),
});

/** Answer to a message that could not be read. Never answered itself. */
const problem = object({ code: id, message: text() });

const fromAgent = {
  /** First message on a connection: who this is, and what it has running and finished. */
  hello: object({
    versions: list(count()),
    /** Random per process start. */
    instanceId: id,
    /** Of the leader election, where there is one. */
    fencingToken: optional(count()),
    platform: id,
    region: optional(name(100, 0)),
    capacity,
    /** Ids of commands that are being carried out. */
    running: list(id),
    /** Results that were not acknowledged yet. */
    finished: object({ completed: list(completed), failed: list(failed) }),
  }),
  /** Everything that the platform holds. */
  inventory: object({
    /** How many commands had arrived on this connection before the list was taken. */
    position: count(),
    sessions: list(inventoryEntry),
  }),
  heartbeat: object({
    status: oneOf('online', 'draining'),
    activeSessions: count(),
    capacity: optional(capacity),
  }),
  ack: object({ commandId: id }),
  complete: completed,
  failed,
  /** A change that no command asked for, for example a desktop that ended by itself. */
  status: object({
    sessionId: id,
    generation: count(),
    state: oneOf(...OBSERVED_STATES),
    reason: optional(text()),
  }),
  /** Something that happened in a session, for its timeline: `idle`, `active`, `usage`, `exited`, `adopted`, or one's own. */
  session_event: object({
    sessionId: id,
    generation: count(),
    kind: id,
    /** A sentence for people. */
    message: text(),
    data: optional(json),
  }),
  pong: object({}),
  error: problem,
};

const toAgent = {
  welcome: object({
    version: count(1),
    /** Of this connection; what an older one still sends is dropped. */
    epoch: count(1),
    heartbeatIntervalMs: count(1),
    inventoryIntervalMs: count(1),
  }),
  refused: object({
    /** For example `fencing_token_too_low` or `duplicate_instance`. */
    code: id,
    message: text(),
    highestFencingToken: optional(count()),
    incumbent: optional(id),
  }),
  command: object({
    commandId: id,
    action: oneOf(...ACTIONS),
    sessionId: id,
    generation: count(),
    /** How long the agent may take from the receipt on, in ms. A duration, since clocks differ. */
    timeoutMs: count(1),
    /** What the action needs, for example the template of a start. */
    payload: json,
  }),
  cancel: object({ commandId: id, reason: optional(text()) }),
  result_ack: object({ commandId: id }),
  ping: object({}),
  /** Move to another replica: close this connection and connect anew. */
  drain: object({ reason: optional(text()) }),
  shutdown: object({ reason: optional(text()) }),
  error: problem,
};

type Catalogue = Record<string, (value: unknown, path: string) => unknown>;
type MessageOf<C extends Catalogue> = { [K in keyof C & string]: { type: K; payload: Infer<C[K]> } }[keyof C &
  string];

/** Payloads that an agent sends, by type. */
export type AgentPayloads = { [K in keyof typeof fromAgent]: Infer<(typeof fromAgent)[K]> };
/** Payloads that the control plane sends, by type. */
export type ControlPayloads = { [K in keyof typeof toAgent]: Infer<(typeof toAgent)[K]> };
/** A message that an agent sends. */
export type AgentMessage = MessageOf<typeof fromAgent>;
/** A message that the control plane sends. */
export type ControlMessage = MessageOf<typeof toAgent>;

export const AGENT_MESSAGES: Catalogue = fromAgent;
export const CONTROL_MESSAGES: Catalogue = toAgent;
