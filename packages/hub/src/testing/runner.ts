/** What a suite needs of a test runner; vitest, node:test and mocha have it. */
export interface TestRunner {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}
