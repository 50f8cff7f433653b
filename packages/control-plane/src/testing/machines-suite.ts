import type { TestRunner } from '@streamspace/hub/testing';
import type { Fixtures } from './fixtures.js';
import { driveLoginCells } from './login-cells.js';
import { driveSessionCells } from './session-cells.js';

/** The state machines of the database, each driven through every cell of its table. */
export function machinesSuite({ describe, it }: TestRunner, fixtures: () => Promise<Fixtures>): void {
  describe('state machines in the database', () => {
    it('a session does what the table of session-machine.ts says, in every cell', async () => {
      await driveSessionCells(await fixtures());
    });

    it('a login does what the table of login-machine.ts says, in every cell', async () => {
      await driveLoginCells(await fixtures());
    });
  });
}
