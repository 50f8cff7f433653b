import { Refusal } from '../domain/errors.js';
import type { Session, ViewerMode } from '../domain/session.js';
import type { Ticket, TicketStore } from './ports.js';
import { hashToken, randomToken } from './secrets.js';

const LIFETIME_MS = 30_000;
const ENDED: readonly string[] = ['terminating', 'terminated', 'failed'];

/** Single-use tickets with which a viewer opens its connection: a WebSocket from a browser carries no header. */
export class Tickets {
  readonly #store: TicketStore;

  constructor(store: TicketStore) {
    this.#store = store;
  }

  /** @throws Refusal `session_ended` */
  async issue(
    session: Session,
    userId: string,
    mode: ViewerMode,
  ): Promise<{ ticket: string; expiresAt: Date }> {
    if (ENDED.includes(session.state))
      throw new Refusal('session_ended', `Session ${session.id} is ${session.state}.`, {
        remedy: 'Create a new session.',
      });
    const ticket = randomToken();
    const expiresAt = await this.#store.create(
      hashToken(ticket),
      { sessionId: session.id, userId, mode },
      LIFETIME_MS,
    );
    return { ticket, expiresAt };
  }

  /** Spends a ticket. `undefined` when it is not valid for this session; it is spent then too. */
  async redeem(ticket: string | null, sessionId: string): Promise<Ticket | undefined> {
    if (ticket === null || ticket === '') return undefined;
    const found = await this.#store.take(hashToken(ticket));
    return found?.sessionId === sessionId ? found : undefined;
  }
}
