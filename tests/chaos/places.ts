import type { EventOf } from './history.js';

type Effect = EventOf<'effect'>;

/** As what the platform held the session when an effect came to it. */
export type Place = 'gone' | 'running' | 'hibernated';

const AFTER: Readonly<Record<Effect['action'], Place>> = {
  start_session: 'running',
  hibernate_session: 'hibernated',
  wake_session: 'running',
  stop_session: 'gone',
};

/** Follows the effects of one session, in the platform's order. */
export function placesOf(effects: readonly Effect[]): ReadonlyMap<Effect, Place> {
  const places = new Map<Effect, Place>();
  let place: Place = 'gone';
  for (const effect of effects) {
    places.set(effect, place);
    if (effect.changed) place = AFTER[effect.action];
  }
  return places;
}

/** Whether it is right that this effect changed nothing. A start always makes something. */
export function nothingToDo(effect: Effect, places: ReadonlyMap<Effect, Place>): boolean {
  return effect.action !== 'start_session' && places.get(effect) === AFTER[effect.action];
}
