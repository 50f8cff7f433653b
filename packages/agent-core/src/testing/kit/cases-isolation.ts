import type { IsolationProbe, SessionPlace } from '../platform-fixture.js';
import type { KitCase } from './case.js';
import type { Kit } from './kit.js';
import { failure } from './waiting.js';

const KINDS = ['home', 'port'] as const;

const describe = ({ kind, address }: SessionPlace): string => `${kind} ${address}`;

async function placesOf(
  kit: Kit,
  probe: IsolationProbe,
  sessionId: string,
): Promise<readonly SessionPlace[]> {
  const places = await kit.call('isolation.places of the fixture', async () => probe.places(sessionId));
  for (const kind of KINDS)
    if (!places.some((place) => place.kind === kind))
      throw failure(`isolation.places of the fixture must name a ${kind} of each session; it names none`);
  return places;
}

/** Each session tries its own places, which shows that trying works, and then those of the other one. */
async function probeFrom(kit: Kit, probe: IsolationProbe, from: string, other: string): Promise<void> {
  const reached = async (owner: string): Promise<SessionPlace[]> => {
    const places: SessionPlace[] = [];
    for (const place of await placesOf(kit, probe, owner))
      if (await kit.call('isolation.reaches of the fixture', async () => probe.reaches(from, place)))
        places.push(place);
    return places;
  };
  const own = await reached(from);
  for (const kind of KINDS)
    if (!own.some((place) => place.kind === kind))
      throw failure(
        `isolation.reaches of the fixture must be able to reach a ${kind} of its own session; without that it proves nothing`,
      );
  const foreign = await reached(other);
  if (foreign.length > 0)
    throw failure(
      `the platform declares isolated, and a session reaches what belongs to another: ${foreign.map(describe).join(', ')}`,
    );
}

export const isolation: readonly KitCase[] = [
  {
    chapter: 'Declarations',
    name: 'keeps each session from the home and the ports of another, where it declares isolated',
    why: 'Users who may not trust each other are placed there on its word.',
    async run(kit) {
      const { platform, fixture } = kit;
      const { isolated, reasons } = platform.capabilities;
      if (isolated !== true)
        return `isolated is ${isolated === undefined ? 'not declared, which means false' : `declared false: ${reasons?.isolated ?? 'no reason given'}`}`;
      const probe = fixture.isolation;
      if (probe && 'notProbed' in probe) {
        if (probe.notProbed.trim() === '') throw failure('isolation.notProbed must say why nobody can try');
        return `isolated is declared and NOT PROBED: ${probe.notProbed}`;
      }
      if (!probe)
        throw failure(
          'the platform declares isolated; the fixture needs isolation to prove it, or isolation.notProbed to say why nobody can try',
        );
      const [one, other] = await kit.twoSessions();
      await probeFrom(kit, probe, one.sessionId, other.sessionId);
      await probeFrom(kit, probe, other.sessionId, one.sessionId);
      return undefined;
    },
  },
];
