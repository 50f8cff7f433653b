import type { PlatformFixture } from '../platform-fixture.js';
import type { Need } from './case.js';
import { failure } from './waiting.js';

type Flag = 'hibernate' | 'survivesAgentRestart';

/** The reason that the platform gives; the case on declarations fails where it gives none. */
const declared =
  (flag: Flag): Need['missing'] =>
  ({ platform: { capabilities } }) =>
    capabilities[flag]
      ? undefined
      : `${flag} is declared false: ${capabilities.reasons?.[flag] ?? 'no reason given'}`;

const hook =
  (
    name: 'leftovers' | 'crash' | 'hold' | 'outage' | 'otherAgent' | 'failingWake' | 'home',
  ): Need['missing'] =>
  (fixture: PlatformFixture) =>
    fixture[name] ? undefined : `the fixture has no ${name}()`;

export const hibernation: Need = {
  missing: declared('hibernate'),
  async instead(kit) {
    const one = kit.session();
    const { sessionId } = one;
    const change = one.change();
    await kit.refused('hibernate, which is declared not to work,', ['not_supported'], (signal) =>
      kit.platform.hibernate(sessionId, change, signal),
    );
    await kit.refused('wake, which is declared not to work,', ['not_supported'], (signal) =>
      kit.platform.wake(sessionId, change, signal),
    );
  },
};

export const survival: Need = {
  missing: declared('survivesAgentRestart'),
  /** Where sessions end with the agent, the next agent must find none, and nothing that they held. */
  async instead(kit) {
    if (!kit.fixture.restart) return;
    const one = kit.session();
    await one.start();
    await kit.restart();
    const listed = await kit.list();
    const [claimed] = listed;
    if (claimed) {
      one.checkFound(claimed, 'after a restart, list');
      await one.checkUsable();
    } else {
      await kit.checkNothingLeft('after a restart, with nothing listed');
    }
    await one.start();
    await one.stop();
    await kit.checkNothingLeft('after a restart, a start and a stop');
  },
};

export const leftovers: Need = { missing: hook('leftovers') };
export const crashes: Need = { missing: hook('crash') };
export const holding: Need = { missing: hook('hold') };
export const outages: Need = { missing: hook('outage') };
export const sharing: Need = { missing: hook('otherAgent') };
export const failingWakes: Need = { missing: hook('failingWake') };
export const homes: Need = { missing: hook('home') };

export const watching: Need = {
  missing: ({ platform }) => (platform.watch ? undefined : 'the platform has no watch(), which is optional'),
};

export const closing: Need = {
  missing: ({ platform }) => (platform.close ? undefined : 'the platform has no close(), which is optional'),
};

/** Without it, nobody can see whether what is declared is true. */
export function requireRestart(fixture: PlatformFixture): void {
  if (!fixture.restart)
    throw failure('the platform declares survivesAgentRestart; the fixture needs restart() to prove it');
}
