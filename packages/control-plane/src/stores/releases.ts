import { isDatabaseError } from './database-error.js';
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

/** A connection that is gone. */
interface Gone {
  readonly connectionId: string;
  /** `undefined` where it is not known whether its claim took effect. */
  readonly epoch: number | undefined;
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
 * a newer claim of the agent makes its entry moot. Ends with `close`.
 */
export class Releases {
  readonly #waiting = new Map<string, readonly Gone[]>();
  readonly #database: Database;
  readonly #onError: ((error: unknown, where: string) => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #underWay: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: { database: Database; onError?: (error: unknown, where: string) => void }) {
    this.#database = options.database;
    this.#onError = options.onError;
  }

  /** Rejects when it could not be written now; it is repeated then. */
  async release(agentId: string, connectionId: string, epoch: number): Promise<void> {
    try {
      await retryConflicts(() => this.#database.query(RELEASE, [agentId, connectionId, epoch]));
    } catch (error) {
      this.#repeat(agentId, { connectionId, epoch });
      throw error;
    }
  }

  /** The claim of this connection failed and may have taken effect: it is released later. */
  claimFailed(agentId: string, connectionId: string): void {
    this.#repeat(agentId, { connectionId, epoch: undefined });
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
  claimed(agentId: string): void {
    this.#waiting.delete(agentId);
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
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  async #try(agents: readonly (readonly [string, readonly Gone[]])[]): Promise<boolean> {
    try {
      await this.#write(agents);
    } catch (error) {
      if (isDatabaseError(error) && error.code === 'closed') this.#giveUp();
      else this.#onError?.(error, 'releasing agents whose connection has ended');
      return false;
    }
    for (const [agentId, written] of agents)
      if (this.#waiting.get(agentId) === written) this.#waiting.delete(agentId);
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

  /** Also for a database that was disposed: it does not come back. */
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
