import { ending } from './endings.js';
import { checkPaste } from './paste.js';
import { resolveViewerOptions, type ResolvedViewerOptions, type ViewerOptions } from './options.js';
import { RfbConnection } from './rfb-connection.js';
import { Stage } from './stage.js';
import type { ViewerStatus } from './status.js';
import { Supervisor } from './supervisor.js';

/** A desktop in an element of the page. */
export interface Viewer extends AsyncDisposable {
  readonly status: ViewerStatus;
  /** Whether input is held back. */
  viewOnly: boolean;
  /** Gives the desktop the keyboard. */
  focus(): void;
  /** Takes the keyboard away from the desktop. */
  blur(): void;
  /**
   * Puts text on the desktop's clipboard. Without a connection, and when only viewing, it does nothing.
   *
   * @throws {ViewerError} `text_too_long` where the text is above 1 MiB in UTF-8, in any case: a server, or what stands
   * before it, would drop it without a word.
   */
  pasteText(text: string): void;
  /** Without a connection, and when only viewing, it does nothing. */
  sendCtrlAltDel(): void;
  /** Tries again now: after `disconnected`, or without the rest of the wait in `reconnecting`. */
  reconnect(): void;
  /** Ends the connection and removes what the viewer put into the element. Idempotent; settles when the socket is down. */
  close(): Promise<void>;
}

/**
 * Shows the desktop behind `options.url` in `element`, which must have a size of its own: the viewer fills it.
 * Connects at once, and again with a fresh address when the connection is lost.
 *
 * noVNC is loaded when the first viewer connects (it cannot be imported outside of a browser).
 *
 * @throws {ViewerError} `invalid_option`
 */
export function createViewer(element: HTMLElement, options: ViewerOptions): Viewer {
  return new NoVncViewer(element, resolveViewerOptions(options));
}

class NoVncViewer implements Viewer {
  readonly #options: ResolvedViewerOptions;
  readonly #stage: Stage;
  readonly #supervisor: Supervisor;
  readonly #window: Window;
  #viewOnly: boolean;
  #connection: RfbConnection | undefined;
  #closing: Promise<void> | undefined;

  constructor(element: HTMLElement, options: ResolvedViewerOptions) {
    this.#options = options;
    this.#viewOnly = options.viewOnly;
    this.#stage = new Stage(element);
    this.#window = element.ownerDocument.defaultView ?? window;
    this.#supervisor = new Supervisor(
      (signal) => this.#dial(signal),
      options.retry,
      (status) => this.#report(status),
    );
    this.#window.addEventListener('focus', this.#onWindowFocus);
    this.#window.addEventListener('online', this.#onBetter);
    this.#window.addEventListener('visibilitychange', this.#onBetter);
  }

  get status(): ViewerStatus {
    return this.#supervisor.status;
  }

  get viewOnly(): boolean {
    return this.#viewOnly;
  }

  set viewOnly(value: boolean) {
    this.#viewOnly = value;
    if (this.#connection?.rfb) this.#connection.rfb.viewOnly = value;
  }

  focus(): void {
    this.#connection?.rfb?.focus({ preventScroll: true });
  }

  blur(): void {
    this.#connection?.rfb?.blur();
  }

  pasteText(text: string): void {
    checkPaste(text);
    if (this.status.state === 'connected' && !this.#viewOnly) this.#connection?.rfb?.clipboardPasteFrom(text);
  }

  sendCtrlAltDel(): void {
    if (this.status.state === 'connected' && !this.#viewOnly) this.#connection?.rfb?.sendCtrlAltDel();
  }

  reconnect(): void {
    this.#supervisor.reconnect();
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#window.removeEventListener('focus', this.#onWindowFocus);
      this.#window.removeEventListener('online', this.#onBetter);
      this.#window.removeEventListener('visibilitychange', this.#onBetter);
      await this.#supervisor.close();
      this.#stage.remove();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A tab that is looked at again goes on typing where it typed before. */
  readonly #onWindowFocus = (): void => {
    if (this.#options.autoFocus && this.status.state === 'connected' && this.#stage.mayTakeKeyboard)
      this.focus();
  };

  /**
   * The network is back, or the tab is looked at again: do not sit out the rest of a wait, nor stay given up. A picture
   * may have died meanwhile without a word; behind another tab nobody asks, so that nothing is sent there.
   */
  readonly #onBetter = ({ type }: Event): void => {
    const { hidden } = this.#stage.box.ownerDocument;
    if (!hidden) this.#connection?.check();
    if (!hidden || type === 'online') this.#supervisor.revive();
  };

  async #dial(signal: AbortSignal): Promise<RfbConnection> {
    const { connectTimeoutMs } = this.#options.retry;
    const attempt = new AbortController();
    const onAbort = (): void => attempt.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(() => {
      const seconds = Math.round(connectTimeoutMs / 1000);
      const reason = `The desktop showed no picture within ${seconds} seconds. Check that its agent runs, and try again.`;
      attempt.abort(ending('connect_timeout', reason));
    }, connectTimeoutMs);
    try {
      return await this.#connect(attempt.signal);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #connect(signal: AbortSignal): Promise<RfbConnection> {
    const aborted = new Promise<never>((_resolve, reject) => {
      // The reason may be an Ending, which is no Error.
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    aborted.catch(() => undefined);
    const [{ default: Rfb }, url] = await Promise.race([
      Promise.all([import('@novnc/novnc'), this.#options.url(signal)]),
      aborted,
    ]);
    const options = { ...this.#options, viewOnly: this.#viewOnly };
    const connection = new RfbConnection(Rfb, this.#stage.box, url, options, () => this.#stage.keepStill());
    try {
      await Promise.race([connection.shown, aborted]);
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#connection = connection;
    // It may have been changed while the connection was being made.
    if (connection.rfb) connection.rfb.viewOnly = this.#viewOnly;
    return connection;
  }

  #report(status: ViewerStatus): void {
    if (status.state === 'connected') {
      const takeKeyboard = this.#options.autoFocus && this.#stage.mayTakeKeyboard;
      this.#stage.dropStill();
      this.#stage.name(this.#options.label);
      if (takeKeyboard) this.focus();
    } else {
      this.#connection = undefined;
      if (status.state === 'disconnected') this.#stage.dropStill();
    }
    this.#options.onStatus(status);
  }
}
