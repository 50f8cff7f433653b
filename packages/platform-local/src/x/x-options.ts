import { isAbsolute, join } from 'node:path';
import { findProgram } from '../host/find-program.js';
import type { SessionLimits } from './resources.js';

/** What the kernel takes for a Unix socket's path. */
const SOCKET_PATH_BYTES = 107;
/** Servers that are tried, one display after the other, where other programs are faster each time. */
const DISPLAY_TRIES = 20;
const LAST_DISPLAY = 59_535;

export interface XDesktopOptions {
  /**
   * The VNC server: a name to be looked for, or a path. Without it, and where `Xtigervnc` is not found, there are no X
   * desktops; a program that is named and not there is a RangeError. @default 'Xtigervnc'
   */
  program?: string;
  /** Folder for the VNC sockets, made for this user alone. Its path has room for some 90 bytes. @default `vnc` in the data folder */
  socketFolder?: string;
  /** Number of the first display that is used, from 0 on. @default 100 */
  firstDisplay?: number;
  /** X desktops that run at once; one more is refused with `capacity_exhausted`. @default 64 */
  sessions?: number;
  /** How long an X server may take to be ready, in ms; then the start fails with `timeout`. @default 20 000 */
  startTimeoutMs?: number;
  /** How long programs have to end after SIGTERM, in ms; then they are killed. @default 2 000 */
  graceMs?: number;
  /** How often it is looked whether sessions that were taken over are there, and how long logs are, in ms. @default 1 000 */
  pollMs?: number;
  /** Bytes of a session's log, at most about; the older half is dropped. @default 1 MiB */
  logBytes?: number;
  /** Most that a session may use, whatever its template says. @default no limits but the template's */
  limits?: SessionLimits;
  /**
   * Folder of a cgroup (version 2) that was delegated to this user, for groups of sessions; `false` is none.
   * @default this process's own group, where it can be divided
   */
  cgroup?: string | false;
  /** What becomes of running X desktops at `close`: they run on, or end and are started again with the platform. @default 'keep' */
  onClose?: 'keep' | 'end';
}

export type ResolvedXOptions = Readonly<
  Required<Omit<XDesktopOptions, 'program' | 'cgroup'>> & {
    enabled: boolean;
    /** Absent where it is not installed. */
    program: string | undefined;
    programName: string;
    cgroup: string | false | undefined;
    socketPathBytes: number;
    displayTries: number;
  }
>;

export function resolveXDesktopOptions(given: XDesktopOptions | false, dataFolder: string): ResolvedXOptions {
  const options = given === false ? {} : given;
  const program = findProgram(options.program ?? 'Xtigervnc');
  if (options.program !== undefined && !program) {
    throw new RangeError(
      `xDesktops.program is ${JSON.stringify(options.program)}, which is not there or cannot be run; allowed is the name or the path of Xtigervnc`,
    );
  }
  const socketFolder = options.socketFolder ?? join(dataFolder, 'vnc');
  if (!isAbsolute(socketFolder)) {
    throw new RangeError(
      `xDesktops.socketFolder is ${JSON.stringify(socketFolder)}; allowed is an absolute path`,
    );
  }
  return {
    enabled: given !== false,
    program,
    programName: options.program ?? 'Xtigervnc',
    socketFolder,
    firstDisplay: whole('firstDisplay', options.firstDisplay ?? 100, 0, LAST_DISPLAY - 1_000),
    sessions: whole('sessions', options.sessions ?? 64),
    startTimeoutMs: whole('startTimeoutMs', options.startTimeoutMs ?? 20_000),
    graceMs: whole('graceMs', options.graceMs ?? 2_000, 0),
    pollMs: whole('pollMs', options.pollMs ?? 1_000),
    logBytes: whole('logBytes', options.logBytes ?? 1024 * 1024),
    limits: options.limits ?? {},
    cgroup: options.cgroup,
    onClose: options.onClose ?? 'keep',
    socketPathBytes: SOCKET_PATH_BYTES,
    displayTries: DISPLAY_TRIES,
  };
}

function whole(name: string, value: number, least = 1, most = 2 ** 31 - 1): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`xDesktops.${name} is ${value}; allowed are whole numbers from ${least} to ${most}`);
}
