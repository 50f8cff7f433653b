import { kitLimits, type KitLimits } from './kit/limits.js';
import type { KitCase } from './kit/case.js';
import type { CaseResult, PlatformIdentity } from './compliance.js';
import { Kit } from './kit/kit.js';
import { bounded, inWords } from './kit/waiting.js';
import type { PlatformFixture } from './platform-fixture.js';

export interface PlatformSuiteOptions {
  /** Multiplies every time that the kit waits, for platforms that are slow. Above 0, at most 1000. @default 1 */
  slowness?: number;
}

/** What the runs of one platform have in common. */
export class CaseRunner {
  /** What is known since the first fixture was opened. */
  platform: PlatformIdentity | undefined;
  readonly results: CaseResult[] = [];
  readonly #limits: KitLimits;

  constructor(
    private readonly open: () => Promise<PlatformFixture>,
    options: PlatformSuiteOptions,
  ) {
    this.#limits = kitLimits(options.slowness);
  }

  /** Runs a case on a fixture of its own, and notes what became of it. @throws what failed */
  async run(one: KitCase): Promise<void> {
    const note = (outcome: CaseResult['outcome'], detail?: string): void => {
      const { chapter, name } = one;
      this.results.push({ chapter, name, outcome, ...(detail !== undefined && { detail }) });
    };
    try {
      const skipped = await this.#onFixture(one);
      if (skipped === undefined) note('passed');
      else note('skipped', skipped);
    } catch (error) {
      note('failed', inWords(error).replace(/^ERR_ASSERTION: /, ''));
      throw error;
    }
  }

  /** @returns why it was skipped, if it was */
  async #onFixture(one: KitCase): Promise<string | undefined> {
    const { callMs } = this.#limits;
    const fixture = await bounded('opening the fixture', callMs, async () => this.open());
    const { name, capabilities } = fixture.platform;
    this.platform ??= { name, capabilities };
    let failed: { error: unknown } | undefined;
    let skipped: string | undefined;
    try {
      const kit = new Kit(fixture, this.#limits);
      const need = one.needs?.find(({ missing }) => missing(fixture) !== undefined);
      skipped = need?.missing(fixture);
      if (need) await need.instead?.(kit);
      else skipped = (await one.run(kit)) ?? undefined;
    } catch (error) {
      failed = { error };
    }
    try {
      await bounded('close of the fixture', callMs, async () => fixture.close());
    } catch (error) {
      // What went wrong first says more.
      failed ??= { error };
    }
    if (failed) throw failed.error;
    return skipped;
  }
}
