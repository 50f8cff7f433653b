import type { TestRunner } from './runner.js';
import { endingTests } from './tunnel-ending.js';
import { TunnelFixture, type TestConnection } from './tunnel-fixture.js';
import { flowTests } from './tunnel-flow.js';
import { openingTests } from './tunnel-opening.js';
import { ruleTests } from './tunnel-rules.js';

export interface TunnelContractSubject {
  /** What carries the tunnel, for the names of the tests. */
  name: string;
  connect(): Promise<TestConnection>;
}

/** What two tunnels on the ends of any link have to show. */
export function tunnelContract(runner: TestRunner, subject: TunnelContractSubject): void {
  const { describe, beforeEach, afterEach } = runner;
  describe(`tunnel contract: ${subject.name}`, () => {
    const fixture = new TunnelFixture();
    beforeEach(() => fixture.connect(() => subject.connect()));
    afterEach(() => fixture.release());
    openingTests(runner, fixture);
    endingTests(runner, fixture);
    flowTests(runner, fixture);
    ruleTests(runner, fixture);
  });
}
