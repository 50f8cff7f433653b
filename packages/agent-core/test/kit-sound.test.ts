import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { echoViewer, platformSuite, runPlatformSuite, type PlatformFixture } from '../src/testing/index.js';
import { PlatformError } from '../src/errors.js';
import { but } from './kit-broken.js';
import { memoryFixture } from './kit-fixture.js';

let report = '';
platformSuite({ describe, it }, () => memoryFixture(), { report: (markdown) => (report = markdown) });

describe('a platform that takes its time', () => {
  it('passes as well, wherever it is aborted', { timeout: 30_000 }, async () => {
    const { results } = await runPlatformSuite(() =>
      memoryFixture((sound) => {
        const { before } = sound;
        sound.before = async (what, sessionId, signal) => {
          await before(what, sessionId, signal);
          await pause(20, undefined, { signal }).catch(() => signal.throwIfAborted());
        };
        return sound;
      }),
    );
    expect(results.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
  });
});

describe('the compliance report', () => {
  it('is the same page, by a test runner and without one', async () => {
    const { markdown, passed, failed, skipped } = await runPlatformSuite(() => memoryFixture());
    expect(markdown).toBe(report);
    expect({ failed, skipped }).toEqual({ failed: 0, skipped: 0 });
    expect(passed).toBeGreaterThan(35);
    expect(markdown).toMatch(/^# Compliance of the platform memory\n\n\d+ passed, 0 failed, 0 skipped\.\n/);
  });
});

describe('the kit', () => {
  it('skips what a platform says that it cannot do, with its reason, and asks for what is asked instead', async () => {
    const { failed, results, markdown } = await runPlatformSuite(() =>
      memoryFixture((sound) =>
        but(sound, {
          capabilities: {
            ...{ hibernate: false, survivesAgentRestart: true, isolated: false },
            reasons: { hibernate: 'There is no disk.', isolated: 'All of them | share one host.' },
          },
          hibernate: unsupported,
          wake: unsupported,
        }),
      ),
    );
    expect(failed).toBe(0);
    expect(results.find(({ name }) => name === 'hibernates a session and wakes it')).toMatchObject({
      outcome: 'skipped',
      detail: 'hibernate is declared false: There is no disk.',
    });
    expect(markdown).toContain('| isolated | no | All of them \\| share one host. |');
  });

  it('skips what the fixture cannot do, and says what that is', async () => {
    const { failed, results } = await runPlatformSuite(async () => {
      const { platform, template, viewer, close, restart, isolation } = await memoryFixture();
      return { platform, template, close, viewer: viewer!, restart: restart!, isolation: isolation! };
    });
    expect(failed).toBe(0);
    const skipped = results.filter(({ outcome }) => outcome === 'skipped');
    expect(new Set(skipped.map(({ detail }) => detail))).toEqual(
      new Set(
        ['crash', 'hold', 'outage', 'leftovers', 'otherAgent', 'failingWake', 'home'].map(
          (hook) => `the fixture has no ${hook}()`,
        ),
      ),
    );
  });

  it('skips much at once where the viewer of the fixture cannot do it', async () => {
    const { failed, results } = await runPlatformSuite(async () => ({
      ...(await memoryFixture()),
      async viewer(channel) {
        const { exchange } = await echoViewer(channel);
        return { exchange };
      },
    }));
    expect(failed).toBe(0);
    const skipped = results.filter(({ outcome }) => outcome === 'skipped');
    expect(skipped.map(({ detail }) => detail)).toEqual(['the viewer of the fixture has no exchangeMuch()']);
  });

  const APART = 'keeps each session from the home and the ports of another, where it declares isolated';
  const aboutIsolation = async (isolation: PlatformFixture['isolation']) => {
    const { results, markdown } = await runPlatformSuite(async () => {
      const { isolation: _, ...fixture } = await memoryFixture();
      return { ...fixture, ...(isolation && { isolation }) };
    });
    return { markdown, ...results.find(({ name }) => name === APART)! };
  };

  it('fails a platform that declares isolated and whose fixture neither tries it nor says why not', async () => {
    expect(await aboutIsolation(undefined)).toMatchObject({
      outcome: 'failed',
      detail: expect.stringMatching(/the fixture needs isolation to prove it/) as string,
    });
    expect(await aboutIsolation({ notProbed: ' ' })).toMatchObject({ outcome: 'failed' });
  });

  it('says in its report that isolation was not tried, and why', async () => {
    const { outcome, markdown } = await aboutIsolation({ notProbed: 'It runs no programs.' });
    expect(outcome).toBe('skipped');
    expect(markdown).toContain('isolated is declared and NOT PROBED: It runs no programs.');
  });

  it('does not believe a probe that reaches nothing at all, or that knows no place of a kind', async () => {
    const home = { kind: 'home', address: '/home' } as const;
    const port = { kind: 'port', address: '127.0.0.1:1' } as const;
    const reachesNothing = { places: async () => [home, port], reaches: async () => false };
    expect((await aboutIsolation(reachesNothing)).detail).toMatch(/without that it proves nothing/);
    const knowsNoPort = { places: async () => [home], reaches: async () => true };
    expect((await aboutIsolation(knowsNoPort)).detail).toMatch(/must name a port of each session/);
  });

  it('takes a platform that does not say isolated for one that is not', async () => {
    const { results, markdown } = await runPlatformSuite(() =>
      memoryFixture((sound) => but(sound, { capabilities: { hibernate: true, survivesAgentRestart: true } })),
    );
    expect(results.find(({ name }) => name === APART)).toMatchObject({
      outcome: 'skipped',
      detail: 'isolated is not declared, which means false',
    });
    expect(markdown).toMatch(/\| isolated \| no \|/);
  });

  it('fails a case whose fixture does not close', async () => {
    const { failed, results } = await runPlatformSuite(async () => ({
      ...(await memoryFixture()),
      close: () => Promise.reject(new Error('it is stuck')),
    }));
    expect(failed).toBe(results.length);
    expect(results[0]).toMatchObject({ outcome: 'failed', detail: 'it is stuck' });
  });

  it.each([0, -1, Number.NaN, 1_001])('refuses a slowness of %d', async (slowness) => {
    await expect(runPlatformSuite(() => memoryFixture(), { slowness })).rejects.toThrow(
      `slowness is ${slowness}; allowed is a number above 0, at most 1000`,
    );
  });
});

const unsupported = (): Promise<never> =>
  Promise.reject(new PlatformError('not_supported', 'there is no disk'));
