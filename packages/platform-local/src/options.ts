import { resolve } from 'node:path';
import { DEFAULT_SCREEN, isPossible, LARGEST_SCREEN, SMALLEST_SCREEN } from './desktop/layout.js';
import { resolveXDesktopOptions, type ResolvedXOptions, type XDesktopOptions } from './x/x-options.js';

export interface LocalPlatformOptions {
  /**
   * Folder for everything that is kept: homes in `homes/<sessionId>`, records in `sessions`. Created when it is missing.
   * One platform at a time may use it.
   */
  dataFolder: string;
  /** As the platform is called in the API. @default 'local' */
  name?: string;
  /** Desktop size in pixels where a session asks for none. @default 1280 x 800; 640 x 480 to 3840 x 2160 */
  screen?: { readonly width: number; readonly height: number };
  /** Bytes of a session's text as UTF-8; what is typed beyond it is refused with a bell. @default 1 MiB */
  textBytes?: number;
  /** Connections to one session; one more is refused with `limit_reached`. @default 32 */
  viewersPerSession?: number;
  /** How long viewers have to leave once their session ends, in ms; then they are cut off. @default 500 */
  leaveTimeoutMs?: number;
  /**
   * X desktops, which run as this process's user; `false` is none. @default where Xtigervnc is installed, see
   * {@link XDesktopOptions}
   */
  xDesktops?: XDesktopOptions | false;
  /** What the clock shows. @default the system's time */
  now?: () => Date;
  /** Told what went wrong where no caller is there to be told: a file not saved, a viewer's connection. @default ignored */
  onError?: (error: unknown, where: string) => void;
}

export type ResolvedOptions = Readonly<Required<Omit<LocalPlatformOptions, 'xDesktops'>>> & {
  readonly x: ResolvedXOptions;
};

/** Throws a RangeError that names the option, its value and what is allowed. */
export function resolveLocalPlatformOptions(options: LocalPlatformOptions): ResolvedOptions {
  const { dataFolder } = options;
  if (dataFolder === '') throw new RangeError('dataFolder is empty; allowed is the path of a folder');
  const screen = options.screen ?? DEFAULT_SCREEN;
  checkScreen(screen);
  const folder = resolve(dataFolder);
  return {
    dataFolder: folder,
    x: resolveXDesktopOptions(options.xDesktops ?? {}, folder),
    name: options.name ?? 'local',
    screen,
    textBytes: positive('textBytes', options.textBytes ?? 1024 * 1024),
    viewersPerSession: positive('viewersPerSession', options.viewersPerSession ?? 32),
    leaveTimeoutMs: positive('leaveTimeoutMs', options.leaveTimeoutMs ?? 500),
    now: options.now ?? (() => new Date()),
    onError: options.onError ?? (() => undefined),
  };
}

/** Throws a RangeError for a size that the desktop cannot have. */
export function checkScreen({ width, height }: { width: number; height: number }): void {
  if (Number.isInteger(width) && Number.isInteger(height) && isPossible(width, height)) return;
  const [least, most] = [SMALLEST_SCREEN, LARGEST_SCREEN];
  throw new RangeError(
    `the screen is ${width}x${height}; allowed are ${least.width}x${least.height} to ${most.width}x${most.height}`,
  );
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new RangeError(`${name} is ${value}; allowed are whole numbers of 1 and above`);
}
