import type { ControlPayloads } from '@streamspace/protocol';
import { PlatformError } from './errors.js';
import type { Platform, PlatformSession, SessionSpec } from './platform.js';

type Command = ControlPayloads['command'];

function textField(command: Command, name: string): string {
  const value = command.payload[name];
  if (typeof value !== 'string' || value.length === 0)
    throw new PlatformError('invalid_command', `${command.action} needs payload.${name}, a non-empty text`);
  return value;
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

const report = ({ sessionId, generation, state, details }: PlatformSession): Record<string, unknown> => ({
  sessionId,
  generation,
  state,
  ...(details && { platformMetadata: details }),
});

/**
 * One command as one call of the platform.
 *
 * @returns the result for the control plane: `{sessionId, generation, state, platformMetadata?}`
 * @throws what the platform throws, or PlatformError `invalid_command`
 */
export async function carryOut(
  platform: Platform,
  command: Command,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const { sessionId, generation, commandId } = command;
  const change = { commandId, generation };
  switch (command.action) {
    case 'start_session':
      return report(await platform.start(specOf(command), change, signal));
    case 'stop_session':
      await platform.stop(sessionId, change, signal);
      return { sessionId, generation, state: 'terminated' };
    case 'hibernate_session':
      return report(await platform.hibernate(sessionId, change, signal));
    case 'wake_session':
      return report(await platform.wake(sessionId, change, signal));
  }
}
