import { describe, expect, it } from 'vitest';
import { runPlatformSuite } from '../src/testing/index.js';
import { KIT_CASES } from '../src/testing/kit/cases.js';
import { CaseRunner } from '../src/testing/run-case.js';
import { but, hang } from './kit-broken.js';
import { brokenInChanges } from './kit-broken-changes.js';
import { brokenAtEdges } from './kit-broken-edges.js';
import { brokenInFailures } from './kit-broken-failures.js';
import { brokenInIsolation } from './kit-broken-isolation.js';
import { brokenInViews } from './kit-broken-views.js';
import { memoryFixture } from './kit-fixture.js';

const DRIVERS = [
  ...brokenInChanges,
  ...brokenInFailures,
  ...brokenInViews,
  ...brokenAtEdges,
  ...brokenInIsolation,
];

/** What is made wrong in the fixture, for no driver can be. */
const BY_FIXTURE = 'can be restarted by its fixture, where it says that sessions survive that';

/** The drivers are quick, but for those that hang. */
const slowness = 0.04;

describe('a driver that', () => {
  it.each(DRIVERS)('$fault fails in the case that is meant for it', async ({ driver, failsIn, because }) => {
    const one = KIT_CASES.find(({ name }) => name === failsIn);
    const runner = new CaseRunner(() => memoryFixture(driver), { slowness });
    await expect(runner.run(one!)).rejects.toThrow(because);
    expect(runner.results).toMatchObject([{ name: failsIn, outcome: 'failed' }]);
  });
});

describe('the kit', () => {
  it('has a driver for each of its cases that only this case has to find', () => {
    const meant = new Set([BY_FIXTURE, ...DRIVERS.map(({ failsIn }) => failsIn)]);
    expect(KIT_CASES.map(({ name }) => name).filter((name) => !meant.has(name))).toEqual([]);
  });

  it('fails a platform whose survival nobody can try', async () => {
    const { results } = await runPlatformSuite(async () => {
      const { restart: _, ...fixture } = await memoryFixture();
      return fixture;
    });
    const failed = results.filter(({ outcome }) => outcome === 'failed');
    expect(failed.map(({ name }) => name)).toContain(BY_FIXTURE);
    for (const { detail } of failed) expect(detail).toMatch(/the fixture needs restart\(\) to prove it/);
  });

  it('comes to an end with a driver that never does', async () => {
    const { failed, passed, skipped } = await runPlatformSuite(
      () => memoryFixture((sound) => but(sound, { start: hang, list: hang, close: hang })),
      { slowness: 0.01 },
    );
    expect(failed).toBeGreaterThan(KIT_CASES.length - 5);
    expect(failed + passed + skipped).toBe(KIT_CASES.length);
  });

  it('has a name of its own for each case', () => {
    expect(new Set(KIT_CASES.map(({ name }) => name)).size).toBe(KIT_CASES.length);
  });
});
