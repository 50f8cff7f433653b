import type { ControlPayloads } from '@streamspace/protocol';
import { codeOf, describeFailure, PlatformError } from './errors.js';
import type { Platform, PlatformSession, SessionSpec } from './platform.js';
import { isAlive, knownFrom, type KnownSession, type SessionTable } from './session-table.js';
import { pause } from './wait.js';

export type Command = ControlPayloads['command'];

export interface CarryOutOptions {
  readonly platform: Platform;
  readonly table: SessionTable;
  /** 0 means unlimited. */
  readonly maxSessions: number;
  /** Fills the table with everything that the platform holds; needed before the first start where there is a limit. */
  readonly survey: (signal: AbortSignal) => Promise<unknown>;
  /** The platform holds a session that this term had not seen. */
  readonly onFound?: (session: PlatformSession) => void;
  /** The platform showed that an earlier agent had carried the command out. */
  readonly onAdopted?: (command: Command) => void;
  /** A call of the platform has failed and is made again after a pause, in ms. */
  readonly onRetry?: (command: Command, error: unknown, pauseMs: number) => void;
  /** @default RETRY_PAUSES_MS */
  readonly retryPausesMs?: readonly number[];
}

/**
 * Before each further attempt of a command whose call of the platform failed with `shouldRetry`, in ms. With the last one
 * the failure stands.
 */
const RETRY_PAUSES_MS = [1_000, 2_000, 4_000] as const;

/** What a command leaves behind on the platform. */
const GOAL = {
  start_session: 'running',
  stop_session: 'gone',
  hibernate_session: 'hibernated',
  wake_session: 'running',
} as const;

const NOTHING: KnownSession = { generation: 0, commandId: '', state: 'gone' };

/**
 * One command as calls of the platform.
 *
 * The platform is the record of what was carried out: where this term has not seen the session yet, or has seen this
 * very command on it, the platform is asked first, and what an earlier agent did is reported and not done again. A stop
 * is always passed on, since only the platform knows of remains that it does not list, and does nothing where there
 * are none. A start ends an older generation before anything else.
 *
 * Calls that fail with `shouldRetry` are made again, a few times and until the signal aborts; not those that say
 * `capacity_exhausted`: the control plane may know of room elsewhere.
 *
 * @returns the result for the control plane: `{sessionId, generation, state, platformMetadata?}`
 * @throws what the platform throws, the signal's reason, or PlatformError `invalid_command`, `stale_generation`,
 *   `capacity_exhausted`, `internal` (what the platform returned is not what was asked for)
 */
export async function carryOut(
  options: CarryOutOptions,
  command: Command,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const { platform, table, onFound, onAdopted } = options;
  const { sessionId, generation, commandId, action } = command;
  const spec = action === 'start_session' ? specOf(command) : undefined;
  const persist = persistence(options, command, signal);
  let known = table.known(sessionId);
  if (!known || known.commandId === commandId) {
    const session = await persist(() => platform.inspect(sessionId, signal));
    if (session) checkIs(sessionId, session);
    if (session && !table.wasSeen(sessionId)) onFound?.(session);
    known = session ? knownFrom(session) : (known ?? NOTHING);
    if (session && known.commandId === commandId && known.state === GOAL[action]) {
      checkReached(command, session);
      table.set(sessionId, known);
      onAdopted?.(command);
      return report(session);
    }
  }
  if (known.generation > generation)
    throw new PlatformError(
      'stale_generation',
      `session ${sessionId} is at generation ${known.generation}, not ${generation}`,
    );
  const release = await room(options, command, known, signal);
  try {
    return await change(options, command, spec, known, signal, persist);
  } catch (error) {
    // How far the platform has come is known to the platform alone.
    table.forget(sessionId);
    throw error;
  } finally {
    release();
  }
}

async function room(
  { table, maxSessions, survey }: CarryOutOptions,
  { action, sessionId }: Command,
  known: KnownSession,
  signal: AbortSignal,
): Promise<() => void> {
  if (maxSessions === 0 || GOAL[action] !== 'running' || isAlive(known)) return () => undefined;
  if (!table.complete) await survey(signal);
  return table.reserve(sessionId, maxSessions);
}

async function change(
  { platform, table }: CarryOutOptions,
  command: Command,
  spec: SessionSpec | undefined,
  known: KnownSession,
  signal: AbortSignal,
  persist: Persist,
): Promise<Record<string, unknown>> {
  const { sessionId, generation, commandId, action } = command;
  const by = { commandId, generation };
  const changed = (session: PlatformSession): Record<string, unknown> => {
    checkReached(command, session);
    table.set(sessionId, knownFrom(session));
    return report(session);
  };
  // Whoever has lost its leadership meanwhile changes nothing any more.
  signal.throwIfAborted();
  switch (action) {
    case 'start_session':
      if (known.state !== 'gone' && known.generation < generation) {
        await persist(() => platform.stop(sessionId, by, signal));
        table.set(sessionId, { ...by, state: 'gone' });
        signal.throwIfAborted();
      }
      return changed(await persist(() => platform.start(spec!, by, signal)));
    case 'stop_session':
      await persist(() => platform.stop(sessionId, by, signal));
      table.set(sessionId, { ...by, state: 'gone' });
      return { sessionId, generation, state: 'terminated' };
    case 'hibernate_session':
      return changed(await persist(() => platform.hibernate(sessionId, by, signal)));
    case 'wake_session':
      return changed(await persist(() => platform.wake(sessionId, by, signal)));
  }
}

type Persist = <Result>(call: () => Promise<Result>) => Promise<Result>;

/** How one command makes its calls: all of them together are made again as often as there are pauses. */
function persistence(
  { onRetry, retryPausesMs = RETRY_PAUSES_MS }: CarryOutOptions,
  command: Command,
  signal: AbortSignal,
): Persist {
  const pauses = retryPausesMs.values();
  return async (call) => {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const next = signal.aborted || !canPass(error) ? undefined : pauses.next();
        if (!next || next.done) throw error;
        onRetry?.(command, error, next.value);
        await pause(next.value, signal);
        if (signal.aborted) throw whileRetrying(signal.reason, error);
      }
    }
  };
}

const canPass = (error: unknown): boolean =>
  (error as { shouldRetry?: unknown } | null)?.shouldRetry === true && codeOf(error) !== 'capacity_exhausted';

/** That time has passed says little: what it was spent with is said too. */
function whileRetrying(reason: unknown, error: unknown): unknown {
  if (!(reason instanceof PlatformError) || reason.code !== 'timeout') return reason;
  const text = `${reason.message}; the platform said: ${describeFailure(error).error}`;
  return new PlatformError('timeout', text, reason.shouldRetry, { cause: error });
}

function checkIs(sessionId: string, session: PlatformSession): void {
  if (session.sessionId === sessionId) return;
  const text = `asked for session ${sessionId}, the platform returned session ${shown(session.sessionId)}`;
  throw new PlatformError('internal', text);
}

/** A platform that returns another session, or one in another state, is not to be believed. */
function checkReached({ action, sessionId, generation }: Command, session: PlatformSession): void {
  const wanted = [sessionId, generation, GOAL[action]];
  // Not typed as what it should be: it may be anything.
  const { sessionId: id, generation: of, state }: Partial<Record<string, unknown>> = { ...session };
  const came = [id, of, state];
  if (came.every((value, i) => value === wanted[i])) return;
  const told = ([which, at, as]: readonly unknown[]): string =>
    `session ${shown(which)}, generation ${shown(at)}, state ${shown(as)}`;
  throw new PlatformError(
    'internal',
    `for ${action} the platform returned ${told(came)}; allowed is ${told(wanted)}`,
  );
}

const shown = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 80) : typeof value;

function specOf(command: Command): SessionSpec {
  const { templateManifest, persistentHome } = command.payload;
  if (typeof templateManifest !== 'object' || templateManifest === null || Array.isArray(templateManifest))
    throw new PlatformError('invalid_command', 'start_session needs payload.templateManifest, an object');
  return {
    sessionId: command.sessionId,
    generation: command.generation,
    user: textField(command, 'user'),
    template: textField(command, 'template'),
    manifest: templateManifest as Record<string, unknown>,
    ...(typeof persistentHome === 'boolean' && { persistentHome }),
  };
}

function textField(command: Command, name: string): string {
  const value = command.payload[name];
  if (typeof value !== 'string' || value.length === 0)
    throw new PlatformError('invalid_command', `${command.action} needs payload.${name}, a non-empty text`);
  return value;
}

const report = ({ sessionId, generation, state, details }: PlatformSession): Record<string, unknown> => ({
  sessionId,
  generation,
  state,
  ...(details && { platformMetadata: details }),
});
