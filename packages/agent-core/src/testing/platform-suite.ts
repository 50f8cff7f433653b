import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Change, Platform, SessionSpec } from '../platform.js';

/** What the suite needs of a test runner; vitest, node:test and mocha have it. */
export interface TestRunner {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}

export interface PlatformFixture {
  platform: Platform;
  /** Template and manifest that this platform can start. */
  template: Pick<SessionSpec, 'template' | 'manifest'>;
  /**
   * Another agent process takes the first one's place, as after SIGKILL: the first platform object gets no chance to
   * tidy up, and is not used again. Needed where the platform declares `survivesAgentRestart`.
   */
  restart?(): Promise<Platform>;
  /**
   * What sessions hold outside the platform object and should give back when they end: processes, sockets, containers,
   * files that are not a persistent home; a line each. Where it is there, nothing may be left after a stop.
   */
  leftovers?(): Promise<readonly string[]>;
  /** Releases the platform, its sessions, and whatever the fixture made. */
  close(): Promise<void>;
}

const codeOf = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

/** What every platform has to do: the life of a session, idempotence, generations, streams and the inventory. */
export function platformSuite({ describe, it }: TestRunner, open: () => Promise<PlatformFixture>): void {
  const never = new AbortController().signal;
  const withPlatform =
    (
      body: (
        fixture: PlatformFixture & { sessionId: string; spec: SessionSpec; by: Change },
      ) => Promise<void>,
    ) =>
    async (): Promise<void> => {
      const fixture = await open();
      const sessionId = `s-${randomUUID().slice(0, 8)}`;
      const by = { commandId: randomUUID(), generation: 2 };
      try {
        const spec = { sessionId, generation: 2, user: 'someone', ...fixture.template };
        await body({ ...fixture, sessionId, by, spec });
      } finally {
        await fixture.close();
      }
    };

  describe('a platform', () => {
    it(
      'starts a session, lists it with who changed it, and stops it',
      withPlatform(async ({ platform, sessionId, spec, by }) => {
        assert.equal((await platform.start(spec, by, never)).state, 'running');
        const [listed, ...more] = await platform.list(never);
        assert.equal(more.length, 0);
        assert.equal(listed?.sessionId, sessionId);
        assert.equal(listed.commandId, by.commandId);
        assert.equal(listed.generation, 2);
        assert.equal((await platform.inspect(sessionId, never))?.state, 'running');
        await platform.stop(sessionId, { ...by, commandId: randomUUID() }, never);
        assert.deepEqual(await platform.list(never), []);
        assert.equal(await platform.inspect(sessionId, never), undefined);
      }),
    );

    it(
      'starts a session once when asked twice, also at the same time',
      withPlatform(async ({ platform, spec, by }) => {
        await Promise.all([platform.start(spec, by, never), platform.start(spec, by, never)]);
        await platform.start(spec, by, never);
        assert.equal((await platform.list(never)).length, 1);
      }),
    );

    it(
      'takes stopping a session that is not there for done',
      withPlatform(async ({ platform, sessionId, by }) => {
        await platform.stop(sessionId, by, never);
      }),
    );

    it(
      'refuses a lower generation and takes a higher one',
      withPlatform(async ({ platform, sessionId, spec, by }) => {
        await platform.start(spec, by, never);
        const older = { commandId: randomUUID(), generation: 1 };
        await assert.rejects(
          platform.start({ ...spec, generation: 1 }, older, never),
          codeOf('stale_generation'),
        );
        await assert.rejects(platform.stop(sessionId, older, never), codeOf('stale_generation'));
        const newer = { commandId: randomUUID(), generation: 3 };
        const session = await platform.start({ ...spec, generation: 3 }, newer, never);
        assert.equal(session.generation, 3);
        assert.equal(session.commandId, newer.commandId);
      }),
    );

    it(
      'hibernates and wakes where it says that it can',
      withPlatform(async ({ platform, sessionId, spec, by }) => {
        if (!platform.capabilities.hibernate) {
          await assert.rejects(platform.hibernate(sessionId, by, never), codeOf('not_supported'));
          return;
        }
        await platform.start(spec, by, never);
        assert.equal((await platform.hibernate(sessionId, by, never)).state, 'hibernated');
        assert.equal((await platform.hibernate(sessionId, by, never)).state, 'hibernated');
        await assert.rejects(platform.openStream(sessionId, 'vnc', never));
        assert.equal((await platform.wake(sessionId, by, never)).state, 'running');
        assert.equal((await platform.wake(sessionId, by, never)).state, 'running');
      }),
    );

    it(
      'does nothing once the signal has aborted',
      withPlatform(async ({ platform, spec, by }) => {
        const reason = new Error('given up');
        await assert.rejects(
          platform.start(spec, by, AbortSignal.abort(reason)),
          (error) => error === reason,
        );
        assert.deepEqual(await platform.list(never), []);
      }),
    );

    it(
      'opens any number of connections to a session and none to one that is not there',
      withPlatform(async ({ platform, sessionId, spec, by }) => {
        await assert.rejects(platform.openStream(sessionId, 'vnc', never), codeOf('session_not_found'));
        await platform.start(spec, by, never);
        const channels = [
          await platform.openStream(sessionId, 'vnc', never),
          await platform.openStream(sessionId, 'vnc', never),
        ];
        await assert.rejects(platform.openStream(sessionId, 'no-such-port', never), codeOf('connect_failed'));
        for (const channel of channels) {
          channel.abort(new Error('the viewer is gone'));
          await channel.closed;
        }
      }),
    );

    it(
      'ends the connections of a session with the session',
      withPlatform(async ({ platform, sessionId, spec, by }) => {
        await platform.start(spec, by, never);
        const channel = await platform.openStream(sessionId, 'vnc', never);
        await platform.stop(sessionId, by, never);
        const drain = async (): Promise<void> => {
          while (await channel.read());
        };
        await drain().catch(() => undefined);
        await channel.end().catch(() => undefined);
        await channel.closed;
      }),
    );
  });
}
