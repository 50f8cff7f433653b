import type { ByteChannel } from '@streamspace/vnc-tunnel';
import type { Platform, PlatformSession } from '../../platform.js';
import type { PlatformFixture, StreamViewer } from '../platform-fixture.js';
import type { KitLimits } from './limits.js';
import { rfbViewer } from './rfb-viewer.js';
import { checkFacts, KitSession } from './session.js';
import { bounded, eventually, failure, inWords } from './waiting.js';

/** Codes that never ask to try again: without a change of something, the answer stays the same. */
const FINAL = new Set(['stale_generation', 'not_supported', 'invalid_session_id']);

/** What a case works with: the platform behind calls that are bounded, and whose failures are sentences. */
export class Kit {
  platform: Platform;
  /** Every channel that the platform has given so far. */
  readonly channels = new WeakSet<ByteChannel>();

  constructor(
    readonly fixture: PlatformFixture,
    readonly limits: KitLimits,
  ) {
    this.platform = fixture.platform;
  }

  session(): KitSession {
    return new KitSession(this);
  }

  async twoSessions(): Promise<[KitSession, KitSession]> {
    const [one, other] = [this.session(), this.session()];
    await one.start();
    await other.start();
    return [one, other];
  }

  /** A call that must succeed, in time. */
  async call<Result>(what: string, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    return bounded(what, this.limits.callMs, async (signal) => {
      try {
        return await work(signal);
      } catch (error) {
        if (signal.aborted) throw error;
        throw failure(`${what} must succeed; it rejected with ${inWords(error)}`, error);
      }
    });
  }

  /** A call that must reject with one of the codes, in time; without codes, with any typed error. */
  async refused(
    what: string,
    codes: readonly string[],
    work: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    const outcome = await bounded(what, this.limits.callMs, async (signal) =>
      (async () => work(signal))().then(
        () => 'resolved' as const,
        (error: unknown) => ({ error }),
      ),
    );
    const expected = codes.length > 0 ? ` with ${codes.join(' or ')}` : '';
    if (outcome === 'resolved') throw failure(`${what} must reject${expected}; it resolved`);
    this.checkError(what, outcome.error);
    const { code, shouldRetry } = outcome.error as { code: string; shouldRetry: boolean };
    if (codes.length > 0 && !codes.includes(code))
      throw failure(`${what} must reject${expected}; it rejected with ${inWords(outcome.error)}`);
    if (FINAL.has(code) && shouldRetry)
      throw failure(`${what} rejected with ${code} and shouldRetry true; trying again cannot help`);
  }

  /** Whether it is an error as the contract has it. */
  checkError(what: string, error: unknown): void {
    const { code, shouldRetry } = (error ?? {}) as { code?: unknown; shouldRetry?: unknown };
    const lacks =
      !(error instanceof Error) || error.message === ''
        ? 'is no Error with a message'
        : typeof code !== 'string' || code === ''
          ? 'has no code'
          : typeof shouldRetry !== 'boolean'
            ? 'does not say in shouldRetry whether trying again can help'
            : undefined;
    if (lacks)
      throw failure(
        `${what} must reject with a PlatformError; what it rejected with ${lacks}: ${inWords(error)}`,
      );
  }

  list(): Promise<PlatformSession[]> {
    return this.call('list', (signal) => this.platform.list(signal));
  }

  /** Holds `list` against the sessions that must be there: none too many, none too few, each as it is. */
  async checkList(sessions: readonly KitSession[], when: string): Promise<void> {
    const listed = await this.list();
    const ids = listed.map(({ sessionId }) => sessionId);
    const expected = sessions.map(({ sessionId }) => sessionId);
    const missing = expected.filter((id) => !ids.includes(id));
    if (missing.length > 0) throw failure(`${when}, list omits ${missing.join(', ')}`);
    const extra = ids.filter((id) => !expected.includes(id));
    if (extra.length > 0) throw failure(`${when}, list has ${extra.join(', ')}, which nobody started`);
    if (ids.length !== expected.length) throw failure(`${when}, list has a session twice: ${ids.join(', ')}`);
    for (const session of sessions)
      session.checkFound(
        listed.find(({ sessionId }) => sessionId === session.sessionId),
        `${when}, list`,
      );
  }

  /** Nothing may be left of the sessions that have ended; nothing to see where the fixture cannot tell. */
  checkNothingLeft(when: string): Promise<void> {
    return this.checkNoMoreThan(0, when);
  }

  async checkNoMoreThan(most: number, when: string): Promise<void> {
    const { fixture, limits } = this;
    if (!fixture.leftovers) return;
    let left: readonly string[] = [];
    await eventually(
      limits.releaseMs,
      async () => {
        left = await this.call('leftovers of the fixture', async () => await fixture.leftovers!());
        return left.length <= most;
      },
      () => `${when}, ${most > 0 ? `more than the ${most} from before` : 'this'} is left: ${left.join('; ')}`,
    );
  }

  /** Crashes a session, and waits until it is known. @returns what it is then */
  async crash(one: KitSession): Promise<PlatformSession['state'] | undefined> {
    await this.fixture.crash!(one.sessionId);
    let found: PlatformSession | undefined;
    await eventually(
      this.limits.eventMs,
      async () => {
        found = await one.inspect();
        return found?.state !== 'running' && found?.state !== 'starting';
      },
      () => `after a crash, inspect has the session in state ${found?.state}; it must be failed or stopped`,
    );
    if (found) checkFacts(found, 'after a crash, inspect');
    one.state = undefined;
    return found?.state;
  }

  async restart(): Promise<void> {
    this.platform = await this.call('restart of the fixture', async () => this.fixture.restart!());
  }

  viewer: NonNullable<PlatformFixture['viewer']> = (channel): Promise<StreamViewer> =>
    this.fixture.viewer ? this.fixture.viewer(channel) : rfbViewer(channel);
}
