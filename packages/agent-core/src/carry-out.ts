import type { ControlPayloads } from '@streamspace/protocol';
import { PlatformError } from './errors.js';
import type { Platform, PlatformSession, SessionSpec } from './platform.js';
import { isAlive, knownFrom, type KnownSession, type SessionTable } from './session-table.js';

export type Command = ControlPayloads['command'];

export interface CarryOutOptions {
  readonly platform: Platform;
  readonly table: SessionTable;
  /** 0 means unlimited. */
  readonly maxSessions: number;
  /** Fills the table with everything that the platform holds; needed before the first start where there is a limit. */
  readonly survey: () => Promise<unknown>;
  /** The platform holds a session that this term had not seen. */
  readonly onFound?: (session: PlatformSession) => void;
  /** The platform showed that an earlier agent had carried the command out. */
  readonly onAdopted?: (command: Command) => void;
}

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
 * @returns the result for the control plane: `{sessionId, generation, state, platformMetadata?}`
 * @throws what the platform throws, the signal's reason, or PlatformError `invalid_command`, `stale_generation`,
 *   `capacity_exhausted`
 */
export async function carryOut(
  options: CarryOutOptions,
  command: Command,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const { platform, table, onFound, onAdopted } = options;
  const { sessionId, generation, commandId, action } = command;
  const spec = action === 'start_session' ? specOf(command) : undefined;
  let known = table.known(sessionId);
  if (!known || known.commandId === commandId) {
    const session = await platform.inspect(sessionId, signal);
    if (session && !table.wasSeen(sessionId)) onFound?.(session);
    known = session ? knownFrom(session) : (known ?? NOTHING);
    if (session && known.commandId === commandId && known.state === GOAL[action]) {
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
  const release = await room(options, command, known);
  try {
    return await change(options, command, spec, known, signal);
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
): Promise<() => void> {
  if (maxSessions === 0 || GOAL[action] !== 'running' || isAlive(known)) return () => undefined;
  if (!table.complete) await survey();
  return table.reserve(sessionId, maxSessions);
}

async function change(
  { platform, table }: CarryOutOptions,
  { sessionId, generation, commandId, action }: Command,
  spec: SessionSpec | undefined,
  known: KnownSession,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const by = { commandId, generation };
  const changed = (session: PlatformSession): Record<string, unknown> => {
    table.set(sessionId, knownFrom(session));
    return report(session);
  };
  // Whoever has lost its leadership meanwhile changes nothing any more.
  signal.throwIfAborted();
  switch (action) {
    case 'start_session':
      if (known.state !== 'gone' && known.generation < generation) {
        await platform.stop(sessionId, by, signal);
        table.set(sessionId, { ...by, state: 'gone' });
        signal.throwIfAborted();
      }
      return changed(await platform.start(spec!, by, signal));
    case 'stop_session':
      await platform.stop(sessionId, by, signal);
      table.set(sessionId, { ...by, state: 'gone' });
      return { sessionId, generation, state: 'terminated' };
    case 'hibernate_session':
      return changed(await platform.hibernate(sessionId, by, signal));
    case 'wake_session':
      return changed(await platform.wake(sessionId, by, signal));
  }
}

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
