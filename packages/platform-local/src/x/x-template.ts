import { PlatformError } from '@streamspace/agent-core';
import { findProgram } from '../host/find-program.js';
import { limitsOf, type SessionLimits } from './resources.js';

/** The base image of desktops that run on the host itself. */
export const X_IMAGE = 'host:x-desktop';
/** What runs in a desktop whose template names nothing: a window manager, and something to type into. */
export const DEFAULT_COMMANDS: readonly (readonly string[])[] = [['openbox', '--sm-disable'], ['xterm']];

/** Debian packages of what is most often missing. */
const PACKAGES: Readonly<Record<string, string>> = { Xtigervnc: 'tigervnc-standalone-server' };
const MOST_COMMANDS = 32;

/** A StreamSpace Template of an X desktop, to put into a catalogue. */
export const xDesktopTemplate = {
  apiVersion: 'stream.space/v1alpha1',
  kind: 'Template',
  metadata: { name: 'x-desktop' },
  spec: {
    displayName: 'Desktop of this machine',
    description:
      'A window manager and a terminal that run on the machine itself, as the user who runs the agent.',
    category: 'Desktop',
    appType: 'desktop',
    baseImage: X_IMAGE,
    /** What is started, each with its arguments; the session lasts for as long as the first. */
    commands: DEFAULT_COMMANDS,
    ports: [{ name: 'vnc', containerPort: 5900, protocol: 'TCP' }],
    vnc: { enabled: true, port: 5900 },
  },
} as const;

/** What a template wants started, and within which limits. */
export interface XTemplate {
  readonly commands: readonly (readonly [string, ...string[]])[];
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: SessionLimits;
}

/** @throws PlatformError `template_unsupported` naming what is wrong in the manifest */
export function readXTemplate(
  name: string,
  manifest: Readonly<Record<string, unknown>>,
  most: SessionLimits,
): XTemplate {
  const spec = (manifest['spec'] ?? {}) as Readonly<Record<string, unknown>>;
  const wrong = (text: string): PlatformError =>
    new PlatformError('template_unsupported', `template ${name}: ${text}`);
  const commands = spec['commands'] ?? DEFAULT_COMMANDS;
  if (!isCommands(commands)) {
    throw wrong(
      `commands is ${JSON.stringify(commands).slice(0, 200)}; allowed is a list of 1 to ${MOST_COMMANDS} commands, each a list of a program and its arguments, for example [["openbox"], ["xterm"]]`,
    );
  }
  const environment = readEnvironment(spec['env'] ?? []);
  if (!environment) {
    throw wrong('env is not allowed as it is; allowed is a list of {"name": "…", "value": "…"}');
  }
  try {
    return { commands, environment, limits: limitsOf(spec, most) };
  } catch (cause) {
    throw wrong((cause as RangeError).message);
  }
}

/**
 * The programs by their absolute paths.
 *
 * @throws PlatformError `program_missing` naming what to install
 */
export function locate(commands: XTemplate['commands']): (readonly [string, ...string[]])[] {
  const missing = [
    ...new Set(commands.map(([program]) => program).filter((program) => !findProgram(program))),
  ];
  if (missing.length > 0) throw programMissing(missing);
  return commands.map(([program, ...rest]) => [findProgram(program)!, ...rest] as const);
}

/**
 * The programs of {@link xDesktopTemplate} that this host lacks, for whoever has to decide whether to offer it.
 *
 * @param program the VNC server, by its name or path
 */
export function missingForXDesktop(program = 'Xtigervnc'): string[] {
  return [program, ...DEFAULT_COMMANDS.map(([name]) => name!)].filter((name) => !findProgram(name));
}

export function programMissing(programs: readonly string[]): PlatformError {
  const packages = programs.map((program) => PACKAGES[program] ?? program).join(' ');
  const text = `${programs.join(', ')} ${programs.length > 1 ? 'are' : 'is'} not installed on the agent's host; install with, on Debian: apt-get install ${packages}`;
  return new PlatformError('program_missing', text);
}

function isCommands(value: unknown): value is XTemplate['commands'] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_COMMANDS) return false;
  return value.every(
    (command) => Array.isArray(command) && command.length > 0 && command[0] !== '' && command.every(isWord),
  );
}

function readEnvironment(value: unknown): Record<string, string> | undefined {
  if (!Array.isArray(value)) return undefined;
  const result: Record<string, string> = {};
  for (const entry of value as unknown[]) {
    const { name, value: text } = (entry ?? {}) as { name?: unknown; value?: unknown };
    if (!isWord(name) || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || !isWord(text)) return undefined;
    result[name] = text;
  }
  return result;
}

/** Text that can be an argument. */
function isWord(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0');
}
