import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { PlatformError, type SessionSpec } from '@streamspace/agent-core';
import { BuiltInSession } from './built-in-session.js';
import type { Home } from './home.js';
import { endProcesses } from './host/end-processes.js';
import { lookAtProcesses, type ProcessLook } from './host/processes.js';
import { membersOf, withoutEnded } from './host/session-processes.js';
import type { HostedDesktop, UnaskedEnd } from './hosted-desktop.js';
import { checkScreen, type ResolvedOptions } from './options.js';
import { RecordStore } from './record-store.js';
import type { SessionRecord, XPlace } from './session-record.js';
import { baseImageOf, BUILT_IN_IMAGE, builtInDesktopTemplate } from './template.js';
import { SessionGroups } from './x/cgroup.js';
import { removeFilesOf } from './x/display-files.js';
import { Displays } from './x/displays.js';
import { XDesktop } from './x/x-desktop.js';
import { programMissing, readXTemplate, X_IMAGE, xDesktopTemplate } from './x/x-template.js';

/** Displays that one platform tries, from its first on. */
const DISPLAYS = 1_000;

/** Makes desktops for sessions; one for each data folder. */
export interface DesktopHost {
  readonly dataFolder: string;
  readonly records: RecordStore;
  /** Whether X desktops end with the platform object. */
  readonly endAtClose: boolean;
  readonly onError: (error: unknown, where: string) => void;
  /** @throws PlatformError where a session cannot be as it is asked for */
  check(spec: SessionSpec): void;
  isX(spec: SessionSpec): boolean;
  /** One that can always be closed, and opened where the session passes the check. */
  desktop(spec: SessionSpec, home: Home, run: DesktopRun): HostedDesktop;
  /** Ends what runs of a session whose desktop was another one, or is none of ours. */
  endRemains(spec: SessionSpec, home: Home, run: DesktopRun): Promise<void>;
}

/** What a desktop is given of its session's record. */
export interface DesktopRun {
  readonly place: XPlace | undefined;
  readonly note: (place: XPlace) => Promise<void>;
  readonly checkOwner: () => Promise<void>;
  readonly onEnd: (end: UnaskedEnd) => void;
}

/** Takes over a data folder, ends what runs there without a record, and resolves with the records. */
export async function desktopHost(
  options: ResolvedOptions,
): Promise<{ host: DesktopHost; records: SessionRecord[] }> {
  const { dataFolder, onError, x } = options;
  const store = new RecordStore(dataFolder, onError);
  const platformId = await store.open();
  const records = await store.read();
  const known = new Set(records.map(({ spec }) => spec.sessionId));
  await endUnknown(platformId, known, x.graceMs).catch((error: unknown) =>
    onError(error, 'processes of unknown sessions'),
  );
  const groups =
    x.program === undefined || x.cgroup === false
      ? undefined
      : await SessionGroups.find(x.cgroup, `streamspace-${platformId.slice(0, 8)}`);
  const parts: HostParts = { options, store, platformId, groups };
  return { host: new LocalDesktopHost(parts), records };
}

async function endUnknown(platformId: string, known: ReadonlySet<string>, graceMs: number): Promise<void> {
  const ended = await endProcesses(async () => {
    const look = await lookAtProcesses(platformId);
    const marks = new Set(look.processes.flatMap(({ marked }) => marked ?? []));
    const found = [...marks].filter((one) => !known.has(one)).map((one) => membersOf(look, one));
    return {
      processes: found.flatMap(({ processes }) => processes),
      groups: found.flatMap(({ groups }) => groups),
      isComplete: look.isComplete,
    };
  }, graceMs);
  if (ended.length > 0) await removeFilesOf(new Set(ended.map(({ pid }) => pid)));
}

interface HostParts {
  readonly options: ResolvedOptions;
  readonly store: RecordStore;
  readonly platformId: string;
  readonly groups: SessionGroups | undefined;
}

class LocalDesktopHost implements DesktopHost {
  readonly dataFolder: string;
  readonly records: RecordStore;
  readonly endAtClose: boolean;
  readonly #parts: HostParts;
  readonly #displays: Displays;
  readonly onError: DesktopHost['onError'];
  #looking: Promise<ProcessLook> | undefined;

  constructor(parts: HostParts) {
    const { options, store } = parts;
    this.#parts = parts;
    this.dataFolder = options.dataFolder;
    this.onError = options.onError;
    this.records = store;
    this.endAtClose = options.x.onClose === 'end';
    this.#displays = new Displays(options.x.firstDisplay, DISPLAYS);
  }

  isX({ manifest }: SessionSpec): boolean {
    return baseImageOf(manifest) === X_IMAGE;
  }

  check(spec: SessionSpec): void {
    this.#screenOf(spec);
    const { x } = this.#parts.options;
    if (this.isX(spec) && x.enabled) {
      readXTemplate(spec.template, spec.manifest, x.limits);
      if (!x.program) throw programMissing([x.programName]);
      return;
    }
    if (this.isX(spec)) {
      const text = `X desktops are switched off on this platform, and template ${spec.template} needs them`;
      throw new PlatformError('template_unsupported', text);
    }
    const image = baseImageOf(spec.manifest);
    if (image === BUILT_IN_IMAGE) return;
    const ours = [builtInDesktopTemplate, ...(x.enabled ? [xDesktopTemplate] : [])]
      .map((template) => `${template.spec.baseImage} (as in template ${template.metadata.name})`)
      .join(' and ');
    const text = `template ${spec.template} needs ${JSON.stringify(image) ?? 'an image that it does not name'}; this platform has ${ours}`;
    throw new PlatformError('template_unsupported', text);
  }

  desktop(spec: SessionSpec, home: Home, run: DesktopRun): HostedDesktop {
    if (this.isX(spec)) return this.#xDesktop(spec, home, run);
    const screen = (): { width: number; height: number } => this.#screenOf(spec);
    return new BuiltInSession({ sessionId: spec.sessionId, screen }, home, this.#parts.options);
  }

  async endRemains(spec: SessionSpec, home: Home, run: DesktopRun): Promise<void> {
    await this.#xDesktop(spec, home, run).close();
  }

  #xDesktop(spec: SessionSpec, home: Home, run: DesktopRun): XDesktop {
    const { options, platformId, groups } = this.#parts;
    const { sessionId } = spec;
    const { x } = options;
    return new XDesktop({
      ...{ spec, home, platformId, options: x, displays: this.#displays, ...run },
      plan: () => ({
        screen: this.#screenOf(spec),
        template: readXTemplate(spec.template, spec.manifest, x.limits),
      }),
      folder: join(this.records.folder, sessionId),
      socket: join(x.socketFolder, shortName(sessionId)),
      group: groups?.of(sessionId),
      viewersPerSession: options.viewersPerSession,
      withoutEnded: async (roots) => withoutEnded(await this.#look(), roots),
      processes: async (roots) => membersOf(await this.#look(), sessionId, roots),
      onError: options.onError,
    });
  }

  /** One look for all who want one now. */
  #look(): Promise<ProcessLook> {
    this.#looking ??= lookAtProcesses(this.#parts.platformId).finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  #screenOf(spec: SessionSpec): { width: number; height: number } {
    const screen = spec.screen ?? this.#parts.options.screen;
    try {
      checkScreen(screen);
    } catch (cause) {
      throw new PlatformError('invalid_screen', (cause as RangeError).message, false, { cause });
    }
    return screen;
  }
}

/** The same for the same session, and short: the path of a socket has little room. */
function shortName(sessionId: string): string {
  return createHash('sha256').update(sessionId).digest('hex').slice(0, 12);
}
