import { eventsOf, groupBy, stateWanted, type EventOf, type History, type Wanted } from './history.js';
import { nothingToDo, placesOf } from './places.js';

export const VIOLATIONS = ['lost', 'doubled', 'contradicted', 'reordered', 'stale', 'wrong_state'] as const;

/**
 * - `lost`: accepted and never carried out, or failed without its deadline having passed;
 * - `doubled`: an effect that nobody asked for, most often one more of one that there was;
 * - `contradicted`: a command had more than one outcome, or two commands of a session have the same number;
 * - `reordered`: a session's command had its effect after a later one's, before it was accepted, or while an earlier one
 *   was under way;
 * - `stale`: an effect of an older generation after one of a newer;
 * - `wrong_state`: database, platform and what was asked for do not agree in the end.
 */
export type ViolationKind = (typeof VIOLATIONS)[number];

export interface Violation {
  readonly kind: ViolationKind;
  readonly sessionId: string;
  /** A sentence. */
  readonly detail: string;
}

type Accepted = EventOf<'accepted'>;
type Effect = EventOf<'effect'>;

/** What is known of one session, its commands in their order and its effects in the platform's. */
interface Life {
  readonly sessionId: string;
  readonly requested: readonly EventOf<'requested'>[];
  readonly commands: readonly Accepted[];
  readonly effects: readonly Effect[];
  readonly state: EventOf<'state'> | undefined;
  readonly held: EventOf<'held'> | undefined;
}

/** The last of each command that has one. */
type Outcomes = Map<string, EventOf<'outcome'>>;
type AllOutcomes = ReadonlyMap<string, readonly EventOf<'outcome'>[]>;

/** What in a history must not be. Without `requested` and `state` events, what they would say is not judged. */
export function check(history: History): Violation[] {
  const all = groupBy(eventsOf(history, 'outcome'), ({ commandId }) => commandId);
  const outcomes: Outcomes = new Map();
  for (const [commandId, own] of all) {
    const last = own.at(-1)!;
    if (last.state !== 'open') outcomes.set(commandId, last);
  }
  const order = new Map(history.map((event, index) => [event, index]));
  return livesOf(history).flatMap((life) => [
    ...lost(life, outcomes),
    ...doubled(life),
    ...contradicted(life, all),
    ...reordered(life),
    ...untimely(life, all, (event) => order.get(event)!),
    ...stale(life),
    ...wrongState(life, outcomes),
  ]);
}

function livesOf(history: History): Life[] {
  const lives: Life[] = [];
  const bySession = groupBy(
    history.filter((event) => event.kind !== 'outcome'),
    (event) => event.sessionId,
  );
  for (const [sessionId, events] of bySession)
    lives.push({
      sessionId,
      requested: eventsOf(events, 'requested'),
      commands: eventsOf(events, 'accepted').sort((a, b) => a.seq - b.seq),
      effects: eventsOf(events, 'effect'),
      state: eventsOf(events, 'state').at(-1),
      held: eventsOf(events, 'held').at(-1),
    });
  return lives;
}

const named = ({ commandId, action, seq, generation }: Accepted): string =>
  `command ${seq} (${action}, generation ${generation}, ${commandId})`;

function* lost(life: Life, outcomes: Outcomes): Generator<Violation> {
  const { sessionId, commands, effects, requested } = life;
  const violation = (detail: string): Violation => ({ kind: 'lost', sessionId, detail });
  const places = placesOf(effects);
  for (const command of commands) {
    const outcome = outcomes.get(command.commandId);
    const own = effects.filter((effect) => effect.commandId === command.commandId);
    if (!outcome) yield violation(`${named(command)} has no outcome`);
    else if (outcome.state === 'failed' && !mayFail(life, command, outcome, own.length > 0))
      yield violation(`${named(command)} failed with ${outcome.code ?? 'no code'} before its deadline`);
    else if (outcome.state === 'completed' && own.length === 0)
      yield violation(`${named(command)} is completed and never reached the platform`);
    else if (
      outcome.state === 'completed' &&
      !own.some((effect) => effect.changed || nothingToDo(effect, places))
    )
      yield violation(`${named(command)} is completed and changed nothing`);
  }
  if (requested.length > 0 && !life.state) yield violation('the database does not know this session');
  for (const [wanted, action] of ASKED_BY) {
    const asked = requested.filter((request) => request.wanted === wanted).length;
    const made = commands.filter((command) => command.action === action).length;
    if (made < asked)
      yield violation(`to be ${wanted} was asked for ${asked} times, and ${action} was said ${made} times`);
  }
}

/** What each yes has to become a command for. A stop may find nothing to stop. */
const ASKED_BY: readonly (readonly [Wanted, Accepted['action']])[] = [
  ['running', 'start_session'],
  ['hibernated', 'hibernate_session'],
  ['woken', 'wake_session'],
];

/** What a command fails with when its time is up: said by the queue, or by the agent. */
const EXPIRED: ReadonlySet<string> = new Set([
  'deadline_exceeded',
  'agent_unavailable',
  'timeout',
  'cancelled',
]);

/**
 * A deadline that passed; a command that nobody had seen when its session was stopped; a stop that comes to a newer
 * generation.
 */
function mayFail(life: Life, command: Accepted, outcome: EventOf<'outcome'>, seen: boolean): boolean {
  if (outcome.code === 'cancelled' && !isStop(command) && !seen && isStoppedAfter(life, command)) return true;
  if (outcome.code === 'stale_generation' && !isStart(command))
    return life.commands.some(({ generation }) => generation > command.generation);
  return EXPIRED.has(outcome.code ?? '') && outcome.at >= command.deadline;
}

const isStoppedAfter = ({ requested, commands }: Life, { seq }: Accepted): boolean =>
  requested.some(({ wanted }) => wanted === 'terminated') ||
  commands.some((command) => isStop(command) && command.seq > seq);

function* doubled({ sessionId, commands, effects, requested }: Life): Generator<Violation> {
  const violation = (detail: string): Violation => ({ kind: 'doubled', sessionId, detail });
  const known = new Set(commands.map(({ commandId }) => commandId));
  const changes = effects.filter(({ changed }) => changed);
  // A start may have to stop an older generation first: that is another effect of the same command.
  for (const [first, ...more] of groupBy(
    changes,
    ({ commandId, action }) => `${commandId} ${action}`,
  ).values()) {
    const { commandId, action } = first!;
    if (!known.has(commandId)) yield violation(`${action} by ${commandId}, which nobody accepted`);
    else if (more.length > 0)
      yield violation(`${action} by ${commandId} had its effect ${1 + more.length} times`);
  }
  const starts = changes.filter(isStart);
  for (const [generation, own] of groupBy(starts, (effect) => String(effect.generation)))
    if (own.length > 1) yield violation(`generation ${generation} was started ${own.length} times`);
  const asked = requested.filter(({ wanted }) => wanted === 'running').length;
  if (requested.length > 0 && starts.length > asked)
    yield violation(`asked for ${asked} times, and started ${starts.length} times`);
}

const isStart = ({ action }: { readonly action: string }): boolean => action === 'start_session';
const isStop = ({ action }: { readonly action: string }): boolean => action === 'stop_session';

function* contradicted({ sessionId, commands }: Life, outcomes: AllOutcomes): Generator<Violation> {
  const violation = (detail: string): Violation => ({ kind: 'contradicted', sessionId, detail });
  for (const [seq, own] of groupBy(commands, (command) => String(command.seq)))
    if (own.length > 1)
      yield violation(`${own.length} commands have number ${seq}: ${own.map(named).join('; ')}`);
  for (const [commandId, [command, ...more]] of groupBy(commands, (one) => one.commandId)) {
    if (more.length > 0) yield violation(`${named(command!)} was accepted ${1 + more.length} times`);
    const states = outcomes.get(commandId)?.map(({ state }) => state) ?? [];
    if (states.length > 1) yield violation(`${named(command!)} came to be ${states.join(', then ')}`);
  }
}

function* reordered({ sessionId, commands, effects }: Life): Generator<Violation> {
  const seqOf = new Map(commands.map(({ commandId, seq }) => [commandId, seq]));
  let latest = 0;
  for (const { commandId, action } of effects) {
    const seq = seqOf.get(commandId);
    if (seq === undefined) continue;
    if (seq < latest)
      yield {
        kind: 'reordered',
        sessionId,
        detail: `command ${seq} (${action}, ${commandId}) was carried out after command ${latest}`,
      };
    latest = Math.max(latest, seq);
  }
}

/** An effect comes after the command was accepted, and after the outcome of every earlier command that has one. */
function* untimely(
  { sessionId, commands, effects }: Life,
  outcomes: AllOutcomes,
  place: (event: EventOf<'accepted' | 'effect' | 'outcome'>) => number,
): Generator<Violation> {
  const violation = (detail: string): Violation => ({ kind: 'reordered', sessionId, detail });
  for (const effect of effects) {
    const at = place(effect);
    const command = commands.find(({ commandId }) => commandId === effect.commandId);
    if (!command) continue;
    if (place(command) > at) yield violation(`${named(command)} had an effect before it was accepted`);
    const underWay = commands.find(({ seq, commandId }) => {
      const outcome = seq < command.seq ? outcomes.get(commandId)?.[0] : undefined;
      return outcome !== undefined && place(outcome) > at;
    });
    if (underWay) yield violation(`${named(command)} had an effect while ${named(underWay)} was under way`);
  }
}

function* stale({ sessionId, effects }: Life): Generator<Violation> {
  let newest = 0;
  for (const { commandId, generation, action } of effects) {
    if (generation < newest)
      yield {
        kind: 'stale',
        sessionId,
        detail: `${action} of generation ${generation} (${commandId}) after generation ${newest}`,
      };
    newest = Math.max(newest, generation);
  }
}

function* wrongState(life: Life, outcomes: Outcomes): Generator<Violation> {
  const { sessionId, commands, effects, requested, state, held } = life;
  const violation = (detail: string): Violation => ({ kind: 'wrong_state', sessionId, detail });
  const holds = held ? `generation ${held.generation}, ${held.state}` : 'nothing';
  const last = commands.at(-1);
  const outcome = last && outcomes.get(last.commandId)?.state;
  if (last && outcome === 'completed') {
    const goal = LEAVES[last.action];
    const isSo = goal === undefined ? !held : held?.generation === last.generation && held.state === goal;
    if (!isSo) yield violation(`${named(last)} is completed, and the platform holds ${holds}`);
  }
  const isOwn = effects.some(({ commandId, changed }) => commandId === last?.commandId && changed);
  if (last && outcome === 'failed' && isStart(last) && isOwn && held?.generation === last.generation)
    yield violation(`${named(last)} has failed and was not undone: the platform holds ${holds}`);
  const asked = requested.at(-1)?.wanted;
  if (asked === undefined || !state) return;
  const wanted = stateWanted(asked);
  if (state.state !== wanted) yield violation(`it should be ${wanted}, and the database says ${state.state}`);
  if (wanted === 'terminated' && held) yield violation(`it should be gone, and the platform holds ${holds}`);
  const isThere = held?.generation === state.generation && held.state === wanted;
  if (wanted !== 'terminated' && !isThere)
    yield violation(
      `it should be ${wanted} in generation ${state.generation}, and the platform holds ${holds}`,
    );
}

/** As what the platform holds a session after a command; after a stop it holds nothing. */
const LEAVES: Readonly<Record<Accepted['action'], EventOf<'held'>['state'] | undefined>> = {
  start_session: 'running',
  hibernate_session: 'hibernated',
  wake_session: 'running',
  stop_session: undefined,
};
