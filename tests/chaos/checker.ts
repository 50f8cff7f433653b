import { eventsOf, groupBy, type EventOf, type History } from './history.js';

export const VIOLATIONS = ['lost', 'doubled', 'reordered', 'stale', 'wrong_state'] as const;

/**
 * - `lost`: accepted and never carried out, or failed without its deadline having passed;
 * - `doubled`: an effect that nobody asked for, most often one more of one that there was;
 * - `reordered`: a session's command had its effect after a later one's;
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

type Outcomes = ReadonlyMap<string, EventOf<'outcome'>>;

/** What in a history must not be. Without `requested` and `state` events, what they would say is not judged. */
export function check(history: History): Violation[] {
  const outcomes: Outcomes = new Map(
    eventsOf(history, 'outcome').map((outcome) => [outcome.commandId, outcome]),
  );
  return livesOf(history).flatMap((life) => [
    ...lost(life, outcomes),
    ...doubled(life),
    ...reordered(life),
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
  for (const command of commands) {
    const outcome = outcomes.get(command.commandId);
    const own = effects.filter((effect) => effect.commandId === command.commandId);
    if (!outcome) yield violation(`${named(command)} has no outcome`);
    else if (outcome.state === 'failed' && !mayFail(life, command, outcome, own.length > 0))
      yield violation(`${named(command)} failed with ${outcome.code ?? 'no code'} before its deadline`);
    else if (outcome.state === 'completed' && own.length === 0)
      yield violation(`${named(command)} is completed and never reached the platform`);
    else if (outcome.state === 'completed' && isStart(command) && !own.some(({ changed }) => changed))
      yield violation(`${named(command)} is completed and changed nothing`);
  }
  if (requested.length > 0 && !life.state) yield violation('the database does not know this session');
  const asked = requested.filter(({ wanted }) => wanted === 'running').length;
  const made = commands.filter(isStart).length;
  if (made < asked) yield violation(`asked for ${asked} times, and it was told to start ${made} times`);
}

/** What a command fails with when its time is up: said by the queue, or by the agent. */
const EXPIRED: ReadonlySet<string> = new Set([
  'deadline_exceeded',
  'agent_unavailable',
  'timeout',
  'cancelled',
]);

/**
 * A deadline that passed; a start that nobody had seen when its session was stopped; a stop that comes to a newer
 * generation.
 */
function mayFail(life: Life, command: Accepted, outcome: EventOf<'outcome'>, seen: boolean): boolean {
  if (outcome.code === 'cancelled' && isStart(command) && !seen && isStoppedAfter(life, command)) return true;
  if (outcome.code === 'stale_generation' && !isStart(command))
    return life.commands.some(({ generation }) => generation > command.generation);
  return EXPIRED.has(outcome.code ?? '') && outcome.at >= command.deadline;
}

const isStoppedAfter = ({ requested, commands }: Life, { seq }: Accepted): boolean =>
  requested.some(({ wanted }) => wanted === 'terminated') ||
  commands.some((command) => command.action === 'stop_session' && command.seq > seq);

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
  const { sessionId, commands, requested, state, held } = life;
  const violation = (detail: string): Violation => ({ kind: 'wrong_state', sessionId, detail });
  const last = commands.at(-1);
  if (last && outcomes.get(last.commandId)?.state === 'completed') {
    const isHeld = held?.generation === last.generation;
    if (isStart(last) && !isHeld)
      yield violation(
        `${named(last)} is completed, and the platform holds ${held ? `generation ${held.generation}` : 'nothing'}`,
      );
    if (last.action === 'stop_session' && held)
      yield violation(`${named(last)} is completed, and the platform holds generation ${held.generation}`);
  }
  const wanted = requested.at(-1)?.wanted;
  if (wanted === undefined || !state) return;
  if (state.state !== wanted) yield violation(`it should be ${wanted}, and the database says ${state.state}`);
  if (wanted === 'terminated' && held)
    yield violation(`it should be gone, and the platform holds generation ${held.generation}`);
  if (wanted === 'running' && held?.generation !== state.generation)
    yield violation(
      `it should be running in generation ${state.generation}, and the platform holds ${held ? `generation ${held.generation}` : 'nothing'}`,
    );
}
