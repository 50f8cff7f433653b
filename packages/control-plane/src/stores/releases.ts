import { hasDatabaseEnded } from './database-error.js';
import type { Database } from './database.js';
import { retryConflicts } from './retry.js';
import { toJsonText } from './storable.js';

/** Pause before releases are tried again, in ms: the first, and what it grows to while the database is away. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
/** Most agents of one statement. */
const CHUNK = 2_000;
/**
 * Most connections that are kept of one agent; past it the oldest are dropped, and count as gone once a later one of
 * the agent is claimed.
 */
const CONNECTIONS_PER_AGENT = 8;
/**
 * How long a claim of unknown outcome may take effect after its caller gave up, in ms: twice the time limit of a
 * statement (30 s), which the server may start to count later than the client.
 */
const LATE_CLAIM_MS = 60_000;

/** A connection that is gone. */
interface Gone {
  readonly connectionId: string;
  /** `undefined` where it is not known whether its claim took effect. */
  readonly epoch: number | undefined;
  /** Until when it is released again although it was released already, on the monotonic clock, in ms. */
  readonly until: number;
}

const CLOSED = `status = 'offline', websocket_conn_id = null, pod_name = null, boot_id = null, boot_conn_id = null,
         closed_epoch = a.epoch, updated_at = now()`;

/**
 * Closes the epoch of a connection that is gone. A row that another process has forgotten is closed too: a heartbeat
 * that is late must not bring it back.
 */
const RELEASE = `
  update agents a set ${CLOSED}
   where a.agent_id = $1 and a.epoch = $3 and (a.websocket_conn_id = $2 or a.websocket_conn_id is null)`;

/** The same for many agents, and for claims whose outcome is not known. */
const RELEASE_MANY = `
  with due as materialized (
    select a.id from json_to_recordset($1::json) as r(agent_id text, connection_id text, epoch bigint)
      join agents a on a.agent_id = r.agent_id
       and (a.websocket_conn_id = r.connection_id and a.epoch = coalesce(r.epoch, a.epoch)
            or a.websocket_conn_id is null and a.epoch = r.epoch)
     order by a.id for no key update of a
  )
  update agents a set ${CLOSED} from due where a.id = due.id`;

/**
 * Releases of connections, repeated until they are written. One entry per agent, with a bounded number of connections;
 * a newer claim of the agent makes releases of older epochs moot. A claim of unknown outcome may take effect after its
 * release was written, also after a newer claim: its release is repeated for `LATE_CLAIM_MS`. Ends with `close`.
 */
export class Releases {
  readonly #waiting = new Map<string, readonly Gone[]>();
  readonly #database: Database;
  readonly #onError: ((error: unknown, where: string) => void) | undefined;
  readonly #now: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #underWay: Promise<void> | undefined;
  #isClosed = false;

  /** @param options.now monotonic clock, in ms */
  constructor(options: {
    database: Database;
    onError?: (error: unknown, where: string) => void;
    now?: () => number;
  }) {
    this.#database = options.database;
    this.#onError = options.onError;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Rejects when it could not be written now; it is repeated then. */
  async release(agentId: string, connectionId: string, epoch: number): Promise<void> {
    try {
      await retryConflicts(() => this.#database.query(RELEASE, [agentId, connectionId, epoch]));
    } catch (error) {
      this.#repeat(agentId, { connectionId, epoch, until: 0 });
      throw error;
    }
  }

  /** The claim of this connection failed and may have taken effect: it is released later. */
  claimFailed(agentId: string, connectionId: string): void {
    this.#repeat(agentId, { connectionId, epoch: undefined, until: this.#now() + LATE_CLAIM_MS });
  }

  #repeat(agentId: string, gone: Gone): void {
    if (this.#isClosed) return;
    this.#waiting.set(agentId, [...(this.#waiting.get(agentId) ?? []), gone].slice(-CONNECTIONS_PER_AGENT));
    this.#wait();
  }

  /** Tries what waits for this agent, so that its next claim does not find a connection that is gone. Never rejects. */
  async settle(agentId: string): Promise<void> {
    const gone = this.#waiting.get(agentId);
    if (gone) await this.#try([[agentId, gone]]);
  }

  /** The agent has a newer connection. */
  claimed(agentId: string, connectionId: string): void {
    const now = this.#now();
    this.#keep(agentId, (gone) => gone.until > now && gone.connectionId !== connectionId);
  }

  #keep(agentId: string, isKept: (gone: Gone) => boolean): void {
    const kept = (this.#waiting.get(agentId) ?? []).filter(isKept);
    if (kept.length > 0) this.#waiting.set(agentId, kept);
    else this.#waiting.delete(agentId);
  }

  /** Tries everything that waits. Never rejects. */
  async flush(): Promise<void> {
    await this.#underWay;
    this.#underWay = this.#tryAll().finally(() => (this.#underWay = undefined));
    await this.#underWay;
  }

  /** What still waits is left to others: they find that this replica does not beat. */
  async close(): Promise<void> {
    this.#giveUp();
    await this.#underWay;
  }

  async #tryAll(): Promise<void> {
    const waiting = [...this.#waiting];
    for (let at = 0; at < waiting.length; at += CHUNK)
      if (!(await this.#try(waiting.slice(at, at + CHUNK)))) return;
    if (this.#waiting.size === 0) this.#pauseMs = FIRST_PAUSE_MS;
  }

  async #try(agents: readonly (readonly [string, readonly Gone[]])[]): Promise<boolean> {
    const sentAt = this.#now();
    try {
      await this.#write(agents);
    } catch (error) {
      if (hasDatabaseEnded(error)) this.#giveUp();
      else this.#onError?.(error, 'releasing agents whose connection has ended');
      return false;
    }
    for (const [agentId, written] of agents)
      this.#keep(agentId, (gone) => gone.until > sentAt || !written.includes(gone));
    return true;
  }

  async #write(agents: readonly (readonly [string, readonly Gone[]])[]): Promise<void> {
    const rows = agents.flatMap(([agent_id, gone]) =>
      gone.map(({ connectionId, epoch }) => ({
        agent_id,
        connection_id: connectionId,
        epoch: epoch ?? null,
      })),
    );
    await retryConflicts(() => this.#database.query(RELEASE_MANY, [toJsonText(rows)]));
  }

  /** Also for a database that was disposed or has stopped: it does not come back. */
  #giveUp(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #wait(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
      void this.flush().then(() => this.#waiting.size > 0 && this.#wait());
    }, this.#pauseMs);
    this.#timer.unref();
  }
}
