import type { ChildProcess } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type ByteChannel,
  PlatformError,
  type SessionSpec,
  type SessionUsage,
} from '@streamspace/agent-core';
import type { Home } from '../home.js';
import { endProcesses } from '../host/end-processes.js';
import { ownFolder } from '../host/own-folder.js';
import { belongsTo, isAlive, processEpoch, type ProcessId, signalProcess } from '../host/processes.js';
import { findSession, type FoundProcesses } from '../host/session-processes.js';
import { usageOf } from '../host/usage.js';
import type { HostedDesktop, UnaskedEnd } from '../hosted-desktop.js';
import { tooManyViewers } from '../platform-errors.js';
import type { XPlace } from '../session-record.js';
import { writeAuthority } from './authority.js';
import type { SessionGroup } from './cgroup.js';
import { removeDisplayFiles, removeFilesOf } from './display-files.js';
import type { Displays } from './displays.js';
import { sessionEnvironment } from './environment.js';
import { launch } from './launch.js';
import { describeRlimits, rlimits } from './resources.js';
import { endOfLog, openLog, shortenLog } from './session-log.js';
import { describeEnd, type Exit } from './unasked-end.js';
import { windowManagerRuns } from './window-manager.js';
import type { ResolvedXOptions } from './x-options.js';
import {
  connectToServer,
  exitNow,
  exitOf,
  greets,
  hasEnded,
  untilReady,
  xServerCommand,
} from './x-server.js';
import { locate, programMissing, type XTemplate } from './x-template.js';

/** How long a server that was taken over may take to greet, in ms. Past it, it is started anew. */
const ADOPT_LIMIT_MS = 5_000;
/** How long the first program has to become the window manager, in ms. Past it, the others are started without one. */
const WINDOW_MANAGER_MS = 3_000;
/** How long a viewer waits for a server that is too busy to take connections, in ms. Past it: `connect_failed`. */
const BUSY_LIMIT_MS = 3_000;
/** A server that ends this long after the main program, in ms, is what has ended it. */
const SAME_CAUSE_MS = 250;
const MAIN = 'main';

/** A program that was started here; without an id, it has ended already. */
interface Child {
  readonly child: ChildProcess;
  readonly id: ProcessId | undefined;
}

/** What is to be opened. */
export interface XPlan {
  readonly screen: { readonly width: number; readonly height: number };
  readonly template: XTemplate;
}

export interface XDesktopParts {
  readonly spec: SessionSpec;
  /** Asked for when it is opened. Throws where there can be no such desktop, which can be closed all the same. */
  readonly plan: () => XPlan;
  readonly home: Home;
  /** For what it keeps besides the home: log, authority file, runtime folder. */
  readonly folder: string;
  /** Where its VNC server listens. */
  readonly socket: string;
  readonly platformId: string;
  readonly displays: Displays;
  /** Where there is a cgroup for it. */
  readonly group: SessionGroup | undefined;
  readonly options: ResolvedXOptions;
  readonly viewersPerSession: number;
  /** What an earlier agent process wrote down. */
  readonly place: XPlace | undefined;
  /** Its processes as of about now. */
  readonly processes: (roots: readonly ProcessId[]) => Promise<FoundProcesses>;
  /** Those roots that still mean anything as of about now. */
  readonly withoutEnded: (roots: readonly ProcessId[]) => Promise<readonly ProcessId[]>;
  /** Writes down where it runs, before it does. */
  readonly note: (place: XPlace) => Promise<void>;
  /** Rejects where another platform has taken the session over. */
  readonly checkOwner: () => Promise<void>;
  readonly onEnd: (end: UnaskedEnd) => void;
  readonly onError: (error: unknown, where: string) => void;
}

/**
 * A session with an X server of its own and programs in it, all of which outlive this process.
 *
 * States: closed → opening → open → closing → closed; open → over, when the server or the main program has ended
 * unasked: reported once, and left to be closed. Every process carries the session's marks, and what is started here is
 * written down as well before it does anything, so that closing finds them, whoever started them.
 */
export class XDesktop implements HostedDesktop {
  readonly #parts: XDesktopParts;
  readonly #viewers = new Set<ByteChannel>();
  #status: 'closed' | 'opening' | 'open' | 'closing' | 'over' = 'closed';
  #place: XPlace | undefined;
  #plan: XPlan | undefined;
  #limits = 'none';
  /** Of this object; what is told about an earlier one is not told about the one that runs. */
  #opens = 0;
  /** Children of this process since the last open. */
  #launched: ProcessId[] = [];
  #poll: NodeJS.Timeout | undefined;

  constructor(parts: XDesktopParts) {
    this.#parts = parts;
    this.#place = parts.place;
  }

  async open(signal: AbortSignal): Promise<void> {
    const { options, home } = this.#parts;
    const plan = this.#parts.plan();
    const { template } = plan;
    if (!options.program) throw programMissing([options.programName]);
    const commands = locate(template.commands);
    this.#checkSocket();
    // What an interrupted attempt has left.
    await this.close();
    signal.throwIfAborted();
    this.#status = 'opening';
    this.#plan = plan;
    this.#opens += 1;
    this.#launched = [];
    try {
      await home.create();
      const cookie = await this.#prepare(template);
      const server = await this.#startServer(options.program, plan, signal);
      const main = await this.#startPrograms(commands, cookie, signal);
      await this.#note({ ...this.#place!, server: server.id, ...(main.id && { main: main.id }) });
      signal.throwIfAborted();
      this.#watch({ server: server.child, main: main.child });
    } catch (error) {
      await this.#undo();
      throw error;
    }
  }

  async adopt(): Promise<boolean> {
    const { platformId, spec, socket, displays } = this.#parts;
    const place = this.#place;
    const { server, main } = place ?? {};
    if (!place || !server || !main) return false;
    // A program may have wiped its marks, and is the same one all the same.
    const isSame = place.epoch !== undefined && place.epoch === (await processEpoch());
    for (const id of [server, main]) {
      if (!(await (isSame ? isAlive(id) : belongsTo(id, platformId, spec.sessionId)))) return false;
    }
    if (!(await greets(socket, AbortSignal.timeout(ADOPT_LIMIT_MS)))) return false;
    displays.hold(place.display);
    this.#plan = this.#parts.plan();
    this.#opens += 1;
    this.#limits = 'as they were set at its start';
    this.#watch();
    return true;
  }

  async close(): Promise<void> {
    const { platformId, spec, options, socket, group, displays } = this.#parts;
    this.#status = 'closing';
    clearInterval(this.#poll);
    this.#abortViewers(new Error('the session has ended'));
    const place = this.#place;
    const roots = await rootsOf(place);
    const all = (): Promise<FoundProcesses> => findSession(platformId, spec.sessionId, roots);
    // Programs first, while they have a display to say goodbye on.
    const programs = async (): Promise<FoundProcesses> => {
      const found = await all();
      const server = place?.server?.pid;
      return {
        processes: found.processes.filter(({ pid }) => pid !== server),
        groups: found.groups.filter((group) => group !== server),
        isComplete: found.isComplete,
      };
    };
    const gone = [
      ...(place?.server ? await endProcesses(programs, options.graceMs) : []),
      ...(await endProcesses(all, options.graceMs)),
    ];
    const pids = new Set([...gone, ...(place?.server ? [place.server] : [])].map(({ pid }) => pid));
    if (place) await removeDisplayFiles(place.display, pids);
    else if (pids.size > 0) await removeFilesOf(pids);
    await rm(socket, { force: true });
    await rm(this.#authority, { force: true });
    await rm(this.#runtime, { recursive: true, force: true });
    await group?.remove();
    if (place) displays.free(place.display);
    this.#place = undefined;
    this.#status = 'closed';
  }

  async isAlive(): Promise<boolean> {
    const { server, main } = this.#place ?? {};
    if (this.#status !== 'open' || !server || !main) return false;
    return (await isAlive(server)) && (await isAlive(main));
  }

  async release(): Promise<void> {
    if (this.#status === 'open') this.#status = 'closed';
    clearInterval(this.#poll);
    this.#abortViewers(new Error('the agent has let go of the session'));
    await Promise.resolve();
  }

  async forget(): Promise<void> {
    await rm(this.#parts.folder, { recursive: true, force: true });
  }

  async connect(signal: AbortSignal): Promise<ByteChannel> {
    const { spec, viewersPerSession, socket } = this.#parts;
    if (this.#viewers.size >= viewersPerSession) throw tooManyViewers(viewersPerSession);
    let channel: ByteChannel;
    try {
      channel = await connectToServer(socket, signal, BUSY_LIMIT_MS);
    } catch (cause) {
      signal.throwIfAborted();
      throw new PlatformError('connect_failed', (cause as Error).message, true, { cause });
    }
    if (this.#status !== 'open') {
      channel.abort();
      throw new PlatformError('connect_failed', `session ${spec.sessionId} has just ended`);
    }
    this.#viewers.add(channel);
    void channel.closed.then(() => this.#viewers.delete(channel));
    return channel;
  }

  details(): Readonly<Record<string, unknown>> {
    const { home, folder } = this.#parts;
    const { display, server } = this.#place ?? {};
    return {
      home: home.folder,
      log: join(folder, 'log'),
      viewers: this.#viewers.size,
      ...(server && { display: `:${display}`, pid: server.pid, limits: this.#limits }),
    };
  }

  async usage(): Promise<SessionUsage | undefined> {
    const { group } = this.#parts;
    if (this.#status !== 'open') return undefined;
    if (group) return await group.usage();
    return await usageOf((await this.#parts.processes(this.#place?.launched ?? [])).processes);
  }

  /** Ends what an open has begun; where another platform has taken over meanwhile, only its own children. */
  async #undo(): Promise<void> {
    try {
      await this.#parts.checkOwner();
    } catch {
      for (const id of this.#launched) await signalProcess(id, 'SIGKILL');
      return;
    }
    await this.close();
  }

  get #authority(): string {
    return join(this.#parts.folder, 'Xauthority');
  }

  get #runtime(): string {
    return join(this.#parts.folder, 'runtime');
  }

  get #log(): string {
    return join(this.#parts.folder, 'log');
  }

  /** @returns the display's cookie */
  async #prepare(template: XTemplate): Promise<Uint8Array> {
    const { folder, options, group } = this.#parts;
    for (const needed of [folder, this.#runtime]) await mkdir(needed, { recursive: true, mode: 0o700 });
    await ownFolder(options.socketFolder);
    this.#limits = (await group?.create(template.limits)) ?? describeRlimits(template.limits);
    return await writeAuthority(this.#authority);
  }

  /** Tries displays until the server has got one. */
  async #startServer(
    program: string,
    { screen }: XPlan,
    signal: AbortSignal,
  ): Promise<{ id: ProcessId; child: ChildProcess }> {
    const { displays, socket, spec, options } = this.#parts;
    const epoch = await processEpoch();
    for (let tries = 0; tries < options.displayTries; tries++) {
      const display = displays.take();
      await this.#note({ display, ...(epoch !== undefined && { epoch }) });
      signal.throwIfAborted();
      const command = xServerCommand(program, {
        ...{ display, socket, screen, authority: this.#authority, name: spec.sessionId },
      });
      const { child } = await this.#launch(command);
      const id = await untilReady(child, socket, options.startTimeoutMs, signal);
      if (id) return { id, child };
      const said = await endOfLog(this.#log);
      if (!/already active for display|Cannot establish any listening sockets/.test(said)) {
        const { code } = await exitOf(child);
        throw new PlatformError(
          'platform_unavailable',
          `the X server ended with ${code} before it was ready: ${said}`,
          true,
        );
      }
      // Another server was faster.
      displays.free(display);
    }
    throw new PlatformError(
      'capacity_exhausted',
      `no free display was found in ${options.displayTries} tries`,
      true,
    );
  }

  async #startPrograms(
    [first, ...others]: readonly (readonly string[])[],
    cookie: Uint8Array,
    signal: AbortSignal,
  ): Promise<Child> {
    signal.throwIfAborted();
    const main = await this.#launch(first!);
    if (others.length > 0) {
      const late = AbortSignal.timeout(WINDOW_MANAGER_MS);
      await windowManagerRuns(this.#place!.display, cookie, AbortSignal.any([signal, late]));
    }
    for (const command of others) {
      signal.throwIfAborted();
      await this.#launch(command);
    }
    return main;
  }

  async #launch(command: readonly string[]): Promise<Child> {
    const { spec, home, platformId, group } = this.#parts;
    const { template } = this.#plan!;
    const place = {
      ...{ platformId, sessionId: spec.sessionId, generation: spec.generation, home: home.folder },
      ...{ authority: this.#authority, runtime: this.#runtime },
    };
    const log = await openLog(this.#log);
    try {
      const how = {
        environment: sessionEnvironment(place, this.#place!.display, template.environment),
        cwd: home.folder,
        log,
        setUp: group ? `${group.enter}\n${rlimits({})}` : rlimits(template.limits),
      };
      return await launch(command, how, async (id) => {
        this.#launched.push(id);
        await this.#note({ ...this.#place!, launched: [...(this.#place!.launched ?? []), id] });
      });
    } finally {
      await log.close();
    }
  }

  async #note(place: XPlace): Promise<void> {
    this.#place = place;
    await this.#parts.note(place);
  }

  /** Children tell how they ended; of what was taken over only that can be seen. */
  #watch(children?: { server: ChildProcess; main: ChildProcess }): void {
    const { options, onError } = this.#parts;
    this.#status = 'open';
    const opened = this.#opens;
    const over = async (name: string, exit: Exit): Promise<void> => {
      if (opened === this.#opens) await this.#over(name, exit);
    };
    if (children) {
      const { server, main } = children;
      void exitOf(server).then((exit) => over('the X server', exit));
      void exitOf(main).then(async (exit) => {
        // Its programs end with the server, and may be heard of first.
        if (exit.code !== 0) await Promise.race([exitOf(server), pause(SAME_CAUSE_MS, null, { ref: false })]);
        await (hasEnded(server) ? over('the X server', exitNow(server)) : over(MAIN, exit));
      });
    }
    const look = async (): Promise<void> => {
      const { server, main } = this.#place ?? {};
      await shortenLog(this.#log, options.logBytes);
      await this.#dropEnded();
      if (children) return;
      if (server && !(await isAlive(server))) await over('the X server', {});
      else if (main && !(await isAlive(main))) await over(MAIN, {});
    };
    this.#poll = setInterval(() => {
      look().catch((error: unknown) => onError(error, `session ${this.#parts.spec.sessionId}`));
    }, options.pollMs);
    this.#poll.unref();
  }

  /** Forgets in time the numbers of programs that have ended. */
  async #dropEnded(): Promise<void> {
    const place = this.#place;
    const launched = place?.launched ?? [];
    const alive = await Promise.all(launched.map(isAlive));
    if (alive.every(Boolean)) return;
    const left = await this.#parts.withoutEnded(launched);
    if (place && this.#place === place) this.#place = { ...place, launched: left };
  }

  async #over(name: string, exit: Exit): Promise<void> {
    if (this.#status !== 'open') return;
    this.#status = 'over';
    clearInterval(this.#poll);
    const { group, onEnd } = this.#parts;
    const { template } = this.#plan!;
    const outOfMemory = ((await group?.outOfMemory()) ?? 0) > 0;
    const called = name === MAIN ? template.commands[0]![0] : name;
    onEnd(describeEnd(called, exit, outOfMemory, template.limits));
  }

  #abortViewers(reason: Error): void {
    for (const channel of this.#viewers) channel.abort(reason);
    this.#viewers.clear();
  }

  #checkSocket(): void {
    const { socket, options } = this.#parts;
    const most = options.socketPathBytes;
    const length = Buffer.byteLength(socket);
    if (length <= most) return;
    throw new PlatformError(
      'socket_path_too_long',
      `the VNC socket's path has ${length} bytes, and ${most} are allowed: ${socket}; choose a shorter data folder, or a socketFolder`,
    );
  }
}

/** What was written down of its processes, where their numbers still mean anything. */
async function rootsOf(place: XPlace | undefined): Promise<readonly ProcessId[]> {
  if (!place?.epoch || place.epoch !== (await processEpoch())) return [];
  return place.launched ?? [];
}
