import { ViewerError } from './errors.js';
import type { ViewerStatus } from './status.js';

/** Where a viewer connects to: an address, or a function that makes a fresh one (with a new ticket) per attempt. */
export type ViewerUrl = string | ((signal: AbortSignal) => string | Promise<string>);

/** Options of {@link createViewer}. */
export interface ViewerOptions {
  /**
   * A `ws:` or `wss:` address that speaks RFB in binary messages. Tickets work once, so give a function to be able to
   * reconnect. An error that it throws with `shouldRetry: false` ends the viewer; any other is tried again.
   */
  readonly url: ViewerUrl;
  /** Send no input. Can be changed later. @default false */
  readonly viewOnly?: boolean;
  /** `fit` scales the picture to the element; `none` shows it pixel by pixel, with scrollbars. @default 'fit' */
  readonly scale?: 'fit' | 'none';
  /** Ask the desktop to take on the size of the element, where it can. @default false */
  readonly resizeSession?: boolean;
  /** Take the keyboard when the picture appears, unless a field elsewhere in the page has it. @default true */
  readonly autoFocus?: boolean;
  /** What assistive technology calls the picture. @default 'Remote desktop' */
  readonly label?: string;
  /** For desktops that ask for a password themselves. */
  readonly credentials?: { readonly username?: string; readonly password?: string };
  /** Told of every change of status, in order. */
  readonly onStatus?: (status: ViewerStatus) => void;
  /** Told of text that was copied in the desktop. */
  readonly onClipboard?: (text: string) => void;
  /** Told of the desktop's own name. */
  readonly onDesktopName?: (name: string) => void;
  /** Told of what your own callbacks throw, and where; it cannot harm the viewer. @default drop it */
  readonly onError?: (error: unknown, where: string) => void;
  /**
   * Longest wait for one attempt, from the address to the first picture, in milliseconds. Should be longer than a
   * server waits for a desktop before it says what is wrong with it. @default 35000
   */
  readonly connectTimeoutMs?: number;
  /** Attempts at the first picture before it gives up. @default 5 */
  readonly connectAttempts?: number;
  /** Attempts after a loss before it gives up. @default 12 */
  readonly reconnectAttempts?: number;
  /**
   * How long nothing may arrive after the person gave input, in milliseconds. Then the viewer asks the desktop for one
   * pixel, and when three times as long again nothing at all comes, the connection is lost. @default 5000
   */
  readonly silentMs?: number;
  /** Bounds of the random wait between attempts, in milliseconds; it doubles each time. @default 500 to 8000 */
  readonly backoff?: { readonly minMs?: number; readonly maxMs?: number };
}

export interface ResolvedViewerOptions {
  readonly url: (signal: AbortSignal) => Promise<string>;
  readonly viewOnly: boolean;
  readonly scale: 'fit' | 'none';
  readonly resizeSession: boolean;
  readonly autoFocus: boolean;
  readonly label: string;
  readonly credentials: { username?: string; password?: string };
  readonly onStatus: (status: ViewerStatus) => void;
  readonly onClipboard: (text: string) => void;
  readonly onDesktopName: (name: string) => void;
  readonly silentMs: number;
  readonly retry: RetryLimits;
}

/**
 * A control plane waits 20 s for a session to run (its option `viewerWaitMs`) and 10 s for the agent to open the
 * desktop (the hub's `openTimeoutMs`), and then says why there is nothing to see. A viewer that gave up before would
 * never hear it; 5 s are for the way and for the picture.
 */
const CONNECT_TIMEOUT_MS = 35_000;

/** How often and how fast to try, all in milliseconds or counts. */
export interface RetryLimits {
  readonly connectTimeoutMs: number;
  readonly connectAttempts: number;
  readonly reconnectAttempts: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

function above0(name: string, value: number | undefined, fallback: number): number {
  const number = value ?? fallback;
  if (!(Number.isFinite(number) && number > 0)) {
    throw new ViewerError('invalid_option', `${name} is ${number}; it must be a number above 0.`);
  }
  return number;
}

/** Fills in the defaults and refuses what cannot work. */
export function resolveViewerOptions(options: ViewerOptions): ResolvedViewerOptions {
  const { url, scale = 'fit', onError } = options;
  if (scale !== 'fit' && scale !== 'none') {
    throw new ViewerError('invalid_option', `scale is "${String(scale)}"; allowed are "fit" and "none".`);
  }
  const guarded =
    <T>(where: string, callback: ((value: T) => void) | undefined) =>
    (value: T): void => {
      try {
        callback?.(value);
      } catch (error) {
        onError?.(error, where);
      }
    };
  const minDelayMs = above0('backoff.minMs', options.backoff?.minMs, 500);
  return {
    url: async (signal) => (typeof url === 'string' ? url : await url(signal)),
    viewOnly: options.viewOnly ?? false,
    scale,
    resizeSession: options.resizeSession ?? false,
    autoFocus: options.autoFocus ?? true,
    label: options.label ?? 'Remote desktop',
    credentials: { ...options.credentials },
    onStatus: guarded('onStatus', options.onStatus),
    onClipboard: guarded('onClipboard', options.onClipboard),
    onDesktopName: guarded('onDesktopName', options.onDesktopName),
    silentMs: above0('silentMs', options.silentMs, 5_000),
    retry: {
      connectTimeoutMs: above0('connectTimeoutMs', options.connectTimeoutMs, CONNECT_TIMEOUT_MS),
      connectAttempts: above0('connectAttempts', options.connectAttempts, 5),
      reconnectAttempts: above0('reconnectAttempts', options.reconnectAttempts, 12),
      minDelayMs,
      maxDelayMs: Math.max(minDelayMs, above0('backoff.maxMs', options.backoff?.maxMs, 8_000)),
    },
  };
}
