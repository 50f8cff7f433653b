import { randomUUID } from 'node:crypto';
import type { Change, PlatformSession, SessionSpec } from '../../platform.js';
import type { Kit } from './kit.js';
import { KitStream } from './stream.js';
import { failure } from './waiting.js';

type State = PlatformSession['state'];

/** Old enough that a lower generation exists. */
const FIRST_GENERATION = 2;

/** What must be true of every session that a platform returns, whatever was done to it. */
export function checkFacts({ state, reason, usage }: PlatformSession, where: string): void {
  if (state === 'failed' && !reason?.trim())
    throw failure(`${where} has a session that failed without a reason; it must say why, in a sentence`);
  for (const fact of ['cpuSeconds', 'memoryBytes'] as const)
    if (usage && !(Number.isFinite(usage[fact]) && usage[fact] >= 0))
      throw failure(`${where} has the usage ${fact} ${usage[fact]}; it must be a finite number, at least 0`);
}

/** A session of the platform under test, and what the platform must know of it. */
export class KitSession {
  readonly sessionId = `kit-${randomUUID().slice(0, 8)}`;
  generation = FIRST_GENERATION;
  /** What it must be, after the calls so far; `undefined` where it must not be there. */
  state: State | undefined;
  /** Of these, one must be recorded as the last that changed it. */
  commandIds: readonly string[] = [];
  persistentHome = false;
  #attempts: string[] = [];
  #underWay = 0;

  constructor(private readonly kit: Kit) {}

  get spec(): SessionSpec {
    const { sessionId, generation, persistentHome } = this;
    return { sessionId, generation, user: 'someone', persistentHome, ...this.kit.fixture.template };
  }

  /** A command of its own, at the session's generation. */
  change(generation = this.generation): Change {
    return { commandId: randomUUID(), generation };
  }

  /** The command of a call that will be aborted: it may turn out to be the last that changed something. */
  attempt(): Change {
    const change = this.change();
    this.#attempts.push(change.commandId);
    return change;
  }

  start(change = this.change()): Promise<PlatformSession> {
    this.generation = change.generation;
    return this.#change('start', 'running', change, (signal) =>
      this.kit.platform.start(this.spec, change, signal),
    );
  }

  hibernate(change = this.change()): Promise<PlatformSession> {
    return this.#change('hibernate', 'hibernated', change, (signal) =>
      this.kit.platform.hibernate(this.sessionId, change, signal),
    );
  }

  wake(change = this.change()): Promise<PlatformSession> {
    return this.#change('wake', 'running', change, (signal) =>
      this.kit.platform.wake(this.sessionId, change, signal),
    );
  }

  async stop(change = this.change()): Promise<void> {
    await this.kit.call('stop', (signal) => this.kit.platform.stop(this.sessionId, change, signal));
    this.state = undefined;
  }

  inspect(): Promise<PlatformSession | undefined> {
    return this.kit.call('inspect', (signal) => this.kit.platform.inspect(this.sessionId, signal));
  }

  /** Holds `inspect` against what must be. */
  async check(when: string): Promise<void> {
    this.checkFound(await this.inspect(), `${when}, inspect`);
  }

  checkFound(found: PlatformSession | undefined, where: string): void {
    if (found) checkFacts(found, where);
    if (!this.state) {
      if (found) throw failure(`${where} has the session in state ${found.state}; it must not be there`);
      return;
    }
    if (!found) throw failure(`${where} does not have the session; it must be ${this.state}`);
    if (found.sessionId !== this.sessionId)
      throw failure(`${where} has session ${found.sessionId} instead of ${this.sessionId}`);
    if (found.state !== this.state)
      throw failure(`${where} has the session in state ${found.state}; it must be ${this.state}`);
    if (found.generation !== this.generation)
      throw failure(`${where} has generation ${found.generation}; it must be ${this.generation}`);
    if (!this.commandIds.includes(found.commandId))
      throw failure(
        `${where} has the command id ${found.commandId}; it must be ${this.commandIds.join(' or ')}, of the last change`,
      );
  }

  /** A connection to its desktop, over which bytes have gone there and back. */
  async open(): Promise<KitStream> {
    const { kit } = this;
    const channel = await kit.call('openStream', (signal) =>
      kit.platform.openStream(this.sessionId, 'vnc', signal),
    );
    if (kit.channels.has(channel))
      throw failure('openStream must give a channel of its own to each call; it gave one twice');
    kit.channels.add(channel);
    return KitStream.over(channel, kit);
  }

  async openRefused(when: string): Promise<void> {
    await this.kit.refused(`openStream ${when}`, ['session_not_found', 'connect_failed'], async (signal) => {
      const channel = await this.kit.platform.openStream(this.sessionId, 'vnc', signal);
      channel.abort(new Error('it should not have been opened'));
    });
  }

  /** Whether its desktop can be used, and nothing else. */
  async checkUsable(): Promise<void> {
    await (await this.open()).abort();
  }

  async #change(
    what: string,
    state: State,
    change: Change,
    work: (signal: AbortSignal) => Promise<PlatformSession>,
  ): Promise<PlatformSession> {
    // Of calls at the same time, any may be the last; so may one that was made before, and that did all there was to do.
    const earlier = this.#underWay > 0 || this.state === state ? this.commandIds : [];
    this.commandIds = [...earlier, ...this.#attempts, change.commandId];
    this.#attempts = [];
    this.#underWay += 1;
    try {
      const session = await this.kit.call(what, work);
      this.state = state;
      this.checkFound(session, `what ${what} resolved with`);
      return session;
    } finally {
      this.#underWay -= 1;
    }
  }
}
