/** Something that happened to a session. */
export interface SessionEvent {
  /** Grows with each event, over all sessions. */
  readonly id: number;
  readonly sessionId: string;
  readonly generation: number;
  /**
   * The control plane's own are `created`, `state`, `restarted`, `placed`, `asked` (a state was asked for) and `error`;
   * agents add theirs, for example `idle`, `usage` or `exited`.
   */
  readonly kind: string;
  /** A sentence for people. */
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly at: Date;
}

/** What an agent tells of one of its sessions. */
export interface EventReport {
  readonly agentId: string;
  /** Of the agent's connection. */
  readonly epoch: number;
  readonly sessionId: string;
  readonly generation: number;
  readonly kind: string;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The timeline of each session. Changes of state are noted by whatever makes them; this adds what agents tell. */
export interface EventStore {
  /**
   * Writes it if it comes from the newest connection of the agent that has the session, and is of no older generation.
   * An agent that tells more than a fixed number of events of one session in a minute is not listened to meanwhile.
   *
   * @returns whether it was written
   */
  append(report: EventReport): Promise<boolean>;
  /** The oldest first. @param page.after id of the last event that is known already */
  list(sessionId: string, page: { after?: number; limit: number }): Promise<SessionEvent[]>;
}

/** Something that somebody did that others may have to know of. */
export interface AuditEntry {
  readonly id: number;
  readonly at: Date;
  readonly actorId: string | null;
  /** The user's name at that time, or what was given as a name. */
  readonly actor: string;
  /** For example `login`, `login_refused` or `agent_key_issued`. */
  readonly action: string;
  /** What it was done to, for example a session's id. */
  readonly target: string | null;
  /** Where it was asked from. */
  readonly address: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface NewAuditEntry {
  /** Either is enough. */
  readonly actorId?: string;
  readonly actor?: string;
  readonly action: string;
  readonly target?: string;
  readonly address?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface AuditStore {
  append(entry: NewAuditEntry): Promise<void>;
  /** The newest first. @param page.before id of the oldest entry that is known already */
  list(page: { before?: number; limit: number }): Promise<AuditEntry[]>;
}
