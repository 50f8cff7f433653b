import { compliance, type PlatformCompliance } from './compliance.js';
import { KIT_CASES } from './kit/cases.js';
import type { PlatformFixture } from './platform-fixture.js';
import { CaseRunner, type PlatformSuiteOptions } from './run-case.js';

/** What the suite needs of a test runner; vitest, node:test and mocha have it. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

export interface PlatformTestOptions extends PlatformSuiteOptions {
  /** Gets the compliance report, in Markdown, when every case has run. */
  report?: (markdown: string) => void;
}

/**
 * Everything that the contract of {@link Platform} asks for, as tests of one's own test runner: a test for each case.
 *
 * @param open makes a fixture; called once for each case, which closes it
 * @throws RangeError for options that are not allowed
 */
export function platformSuite(
  { describe, it }: TestRunner,
  open: () => Promise<PlatformFixture>,
  options: PlatformTestOptions = {},
): void {
  const runner = new CaseRunner(open, options);
  describe('a platform', () => {
    for (const one of KIT_CASES) it(one.name, () => runner.run(one));
    if (options.report)
      it('gets its compliance report', async () =>
        options.report?.(compliance(KIT_CASES, runner.results, runner.platform).markdown));
  });
}

/**
 * The same without a test runner: for scripts, and for reports that are kept.
 *
 * @returns what each case came to; a case that fails does not reject
 * @throws RangeError for options that are not allowed
 */
export async function runPlatformSuite(
  open: () => Promise<PlatformFixture>,
  options: PlatformSuiteOptions = {},
): Promise<PlatformCompliance> {
  const runner = new CaseRunner(open, options);
  // What failed is in the results.
  for (const one of KIT_CASES) await runner.run(one).catch(() => undefined);
  return compliance(KIT_CASES, runner.results, runner.platform);
}
