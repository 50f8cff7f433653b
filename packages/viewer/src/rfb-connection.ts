// An ambient declaration cannot be imported, and whoever compiles this file from source has to find it.
// eslint-disable-next-line @typescript-eslint/triple-slash-reference
/// <reference path="./novnc.d.ts" />
import type RFB from '@novnc/novnc';
import { endingOfClose } from './close-codes.js';
import { ending } from './endings.js';
import { Liveness } from './liveness.js';
import { CLOSED, type Ending } from './status.js';
import type { Connection } from './supervisor.js';
import type { ResolvedViewerOptions } from './options.js';

/** How long a close handshake may take, in milliseconds, before the socket is given up. noVNC's own limit is 3000. */
const CLOSE_TIMEOUT_MS = 3_500;

/** FramebufferUpdateRequest (RFC 6143 section 7.5.3), not incremental, for one pixel: a server has to answer it. */
const ASK_FOR_A_PIXEL = new Uint8Array([3, 0, 0, 0, 0, 0, 0, 1, 0, 1]);

const SILENT = ending('connection_lost', 'Nothing comes from the desktop any more.');

/**
 * One WebSocket and the noVNC client on it.
 *
 * States: *opening* (a socket, no client yet), *handshake* (a client, no picture), *shown* (watched by {@link Liveness}),
 * *over*. noVNC hides the close code behind its `disconnect` event, so the socket is made here and its close event read
 * before noVNC sees it. The client is made in the very event that opens the socket: no message can come before it
 * listens.
 */
export class RfbConnection implements Connection {
  readonly ended: Promise<Ending>;
  /** Settles when there is a picture; rejects with the {@link Ending} where it does not come to that. */
  readonly shown: Promise<void>;
  readonly #socket: WebSocket;
  readonly #socketDown: Promise<void>;
  readonly #liveness: Liveness;
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
    this.#liveness = new Liveness({
      silentMs: options.silentMs,
      // Between two messages: noVNC sends each of its own in one go.
      ask: () => socket.send(ASK_FOR_A_PIXEL),
      onSilent: () => {
        this.#over ??= SILENT;
        onBeforeGone();
        this.#endWith(this.#over);
      },
    });
    let opened = false;
    socket.addEventListener('close', (event) => {
      this.#liveness.stop();
      // One that was found dead has had its last picture kept.
      if (this.#over !== SILENT) onBeforeGone();
      this.#over ??= endingOfClose(event, opened);
      if (!this.#rfb) this.#endWith(this.#over);
    });
    socket.addEventListener('open', () => {
      opened = true;
      try {
        this.#rfb = new Rfb(target, socket, { shared: true, credentials: options.credentials });
        this.#listen(this.#rfb, options);
        this.#rfb.addEventListener('connect', () => {
          this.#watch(socket);
          show();
        });
      } catch {
        this.#over ??= ending('unreadable');
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

  /** Finds out, in its own time, whether the far end is still there. */
  check(): void {
    this.#liveness.doubt();
  }

  /** noVNC has no event for what it sends. */
  #watch(socket: WebSocket): void {
    const send = socket.send.bind(socket);
    socket.send = (data) => {
      send(data);
      if (data instanceof Uint8Array) this.#liveness.sent(data);
    };
    socket.addEventListener('message', () => this.#liveness.arrived());
  }

  #listen(rfb: RFB, options: ResolvedViewerOptions): void {
    rfb.scaleViewport = options.scale === 'fit';
    rfb.resizeSession = options.resizeSession;
    rfb.viewOnly = options.viewOnly;
    rfb.background = 'transparent';
    rfb.addEventListener('clipboard', (event) => options.onClipboard(event.detail.text));
    rfb.addEventListener('desktopname', (event) => options.onDesktopName(event.detail.name));
    rfb.addEventListener('securityfailure', (event) => {
      const said = event.detail.reason ? `: ${event.detail.reason}` : '';
      this.#over ??= ending('security_failure', `The desktop refused the login${said}.`);
    });
    rfb.addEventListener('credentialsrequired', (event) => {
      const asked = event.detail.types.join(', ');
      this.#over ??= ending('credentials_required', `The desktop asks for: ${asked}.`);
      rfb.disconnect();
    });
    rfb.addEventListener('disconnect', () => {
      this.#over ??= ending('unreadable');
      // A client that is over complains about every further call.
      this.#rfb = undefined;
      this.#endWith(this.#over);
    });
  }

  async #end(): Promise<void> {
    this.#over ??= CLOSED;
    this.#liveness.stop();
    this.#rfb?.disconnect();
    this.#socket.close();
    // A path that swallows everything swallows the handshake, and what comes next does not depend on it.
    if (this.#over === SILENT) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
    });
    await Promise.race([this.#socketDown, late]);
    clearTimeout(timer);
    this.#endWith(this.#over);
  }
}
