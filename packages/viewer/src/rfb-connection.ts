// An ambient declaration cannot be imported, and whoever compiles this file from source has to find it.
// eslint-disable-next-line @typescript-eslint/triple-slash-reference
/// <reference path="./novnc.d.ts" />
import type RFB from '@novnc/novnc';
import { endingOfClose } from './close-codes.js';
import { CLOSED, type Ending } from './status.js';
import type { Connection } from './supervisor.js';
import type { ResolvedViewerOptions } from './options.js';

/** How long a close handshake may take, in milliseconds, before the socket is given up. noVNC's own limit is 3000. */
const CLOSE_TIMEOUT_MS = 3_500;

const UNREADABLE: Ending = {
  code: 'protocol_error',
  reason: 'The desktop sent something that this viewer cannot read.',
  shouldRetry: true,
};

/**
 * One WebSocket and the noVNC client on it.
 *
 * States: *opening* (a socket, no client yet), *handshake* (a client, no picture), *shown*, *over*. noVNC hides the
 * close code behind its `disconnect` event, so the socket is made here and its close event read before noVNC sees it.
 * The client is made in the very event that opens the socket: no message can come before it listens.
 */
export class RfbConnection implements Connection {
  readonly ended: Promise<Ending>;
  /** Settles when there is a picture; rejects with the {@link Ending} where it does not come to that. */
  readonly shown: Promise<void>;
  readonly #socket: WebSocket;
  readonly #socketDown: Promise<void>;
  #rfb: RFB | undefined;
  #over: Ending | undefined;
  #endWith!: (ending: Ending) => void;
  #closing: Promise<void> | undefined;

  constructor(
    Rfb: typeof RFB,
    target: HTMLElement,
    url: string,
    options: ResolvedViewerOptions,
    onBeforeGone: () => void,
  ) {
    let show!: () => void;
    const shown = new Promise<void>((resolve) => (show = resolve));
    this.ended = new Promise((resolve) => (this.#endWith = resolve));
    this.shown = Promise.race([
      shown,
      this.ended.then((ending) => {
        throw ending;
      }),
    ]);
    // Whoever awaits `shown` sees the failure; a connection that ends after its picture has nobody waiting.
    this.shown.catch(() => undefined);

    const socket = new WebSocket(url, ['binary']);
    this.#socket = socket;
    this.#socketDown = new Promise((resolve) => socket.addEventListener('close', () => resolve()));
    socket.addEventListener('close', (event) => {
      this.#over ??= endingOfClose(event);
      onBeforeGone();
      if (!this.#rfb) this.#endWith(this.#over);
    });
    socket.addEventListener('open', () => {
      try {
        this.#rfb = new Rfb(target, socket, { shared: true, credentials: options.credentials });
        this.#listen(this.#rfb, show, options);
      } catch {
        this.#over ??= UNREADABLE;
        socket.close();
      }
    });
  }

  get rfb(): RFB | undefined {
    return this.#rfb;
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  #listen(rfb: RFB, show: () => void, options: ResolvedViewerOptions): void {
    rfb.scaleViewport = options.scale === 'fit';
    rfb.resizeSession = options.resizeSession;
    rfb.viewOnly = options.viewOnly;
    rfb.background = 'transparent';
    rfb.addEventListener('connect', show);
    rfb.addEventListener('clipboard', (event) => options.onClipboard(event.detail.text));
    rfb.addEventListener('desktopname', (event) => options.onDesktopName(event.detail.name));
    rfb.addEventListener('securityfailure', (event) => {
      const said = event.detail.reason ? `: ${event.detail.reason}` : '';
      this.#over ??= {
        code: 'security_failure',
        reason: `The desktop refused the login${said}.`,
        shouldRetry: false,
      };
    });
    rfb.addEventListener('credentialsrequired', (event) => {
      this.#over ??= {
        code: 'credentials_required',
        reason: `The desktop asks for: ${event.detail.types.join(', ')}.`,
        shouldRetry: false,
      };
      rfb.disconnect();
    });
    rfb.addEventListener('disconnect', () => {
      this.#over ??= UNREADABLE;
      // A client that is over complains about every further call.
      this.#rfb = undefined;
      this.#endWith(this.#over);
    });
  }

  async #end(): Promise<void> {
    this.#over ??= CLOSED;
    this.#rfb?.disconnect();
    this.#socket.close();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
    });
    await Promise.race([this.#socketDown, late]);
    clearTimeout(timer);
    this.#endWith(this.#over);
  }
}
