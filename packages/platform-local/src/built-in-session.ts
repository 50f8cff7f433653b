import { type ByteChannel, PlatformError } from '@streamspace/agent-core';
import { serveRfb } from '@streamspace/rfb';
import { zlibDeflater } from '@streamspace/rfb/node';
import { channelPair } from './channel-pair.js';
import { BuiltInDesktop } from './desktop/built-in-desktop.js';
import type { KeptFileName } from './desktop/file-labels.js';
import type { Home } from './home.js';
import type { HostedDesktop } from './hosted-desktop.js';
import { KeptFile, type KeptFileEvents } from './kept-file.js';
import type { ResolvedOptions } from './options.js';
import { tooManyViewers } from './platform-errors.js';
import { encodePng } from './png.js';

/** What the built-in desktop needs to know of its session. */
export interface BuiltInSpec {
  readonly sessionId: string;
  /** Asked for when it is opened. Throws where it cannot have the size that its session wants. */
  readonly screen: () => { readonly width: number; readonly height: number };
}

/**
 * A session of the built-in desktop. States: closed ⇄ open. Open, it has a desktop in memory, its files follow the
 * desktop, and viewers are served; closed, it is a folder.
 */
export class BuiltInSession implements HostedDesktop {
  readonly record: BuiltInSpec;
  readonly home: Home;
  readonly #options: ResolvedOptions;
  readonly #viewers = new Set<{ channel: ByteChannel; over: Promise<void> }>();
  #desktop: BuiltInDesktop | undefined;
  #files: readonly KeptFile[] = [];

  constructor(record: BuiltInSpec, home: Home, options: ResolvedOptions) {
    this.record = record;
    this.home = home;
    this.#options = options;
  }

  details(): Readonly<Record<string, unknown>> {
    return { home: this.home.folder, viewers: this.#viewers.size };
  }

  /** It lives in the agent's process, and so ends with it. */
  adopt(): Promise<boolean> {
    return Promise.resolve(false);
  }

  isAlive(): Promise<boolean> {
    return Promise.resolve(this.#desktop !== undefined);
  }

  release(): Promise<void> {
    return this.close();
  }

  forget(): Promise<void> {
    return Promise.resolve();
  }

  /** Loads what was kept and opens the desktop; nothing is left behind when the signal aborts. */
  async open(signal: AbortSignal): Promise<void> {
    if (this.#desktop) return;
    const { width, height } = this.record.screen();
    const { record, home } = this;
    const { textBytes, now, onError } = this.#options;
    const unreadable = (error: unknown): void => onError(error, `files of session ${record.sessionId}`);
    await home.create();
    const text = (await home.readNotes(textBytes, unreadable)) ?? '';
    const drawing = await home.readDrawing(unreadable);
    signal.throwIfAborted();

    const desktop = new BuiltInDesktop({
      session: record.sessionId,
      home: home.folder,
      width,
      height,
      text,
      textBytes,
      drawing,
      now,
      textChanged: () => notesFile.touch(),
      drawingChanged: () => drawingFile.touch(),
    });
    const events = (file: KeptFileName, what: string): KeptFileEvents => ({
      failed: (error) => {
        desktop.showSaved(file, false);
        onError(error, `${what} of session ${record.sessionId}`);
      },
      saved: () => desktop.showSaved(file, true),
    });
    const notesFile = new KeptFile(
      home.notes,
      () => Buffer.from(desktop.notes.note.text),
      events('notes.txt', 'notes'),
    );
    const drawingFile = new KeptFile(
      home.drawing,
      () => encodePng(desktop.paint.drawing),
      events('drawing.png', 'drawing'),
    );
    this.#desktop = desktop;
    this.#files = [notesFile, drawingFile];
  }

  /** Shows viewers out, writes what is not written yet, frees the desktop. */
  async close(): Promise<void> {
    const desktop = this.#desktop;
    if (!desktop) return;
    this.#desktop = undefined;
    desktop.close();
    await this.#viewersGone();
    await Promise.all(this.#files.map((file) => file.flush()));
    this.#files = [];
  }

  /** A connection to the desktop. Throws `connect_failed`, `limit_reached`. */
  async connect(): Promise<ByteChannel> {
    const { sessionId } = this.record;
    const desktop = this.#desktop;
    if (!desktop) throw new PlatformError('connect_failed', `session ${sessionId} has just ended`);
    const most = this.#options.viewersPerSession;
    if (this.#viewers.size >= most) throw tooManyViewers(most);
    const [ours, theirs] = channelPair();
    const report = (error: unknown, where: string): void =>
      this.#options.onError(error, `${where} of a viewer of session ${sessionId}`);
    const viewer = { channel: ours, over: this.#serve(ours, desktop, report) };
    this.#viewers.add(viewer);
    void viewer.over.then(() => this.#viewers.delete(viewer));
    return await Promise.resolve(theirs);
  }

  async #serve(
    channel: ByteChannel,
    desktop: BuiltInDesktop,
    report: (error: unknown, where: string) => void,
  ): Promise<void> {
    const error = await serveRfb(channel, desktop, { onError: report, deflater: zlibDeflater });
    // A viewer that leaves aborts its channel, which is nothing to report. One that speaks no sense is.
    if (error?.name === 'RfbError') report(error, 'connection');
    // Whoever was refused has been told; what is left is to hear that the far end has gone, or to cut it off.
    await within(channel.closed, this.#options.leaveTimeoutMs);
    channel.abort();
    await channel.closed;
  }

  async #viewersGone(): Promise<void> {
    const viewers = [...this.#viewers];
    const gone = Promise.all(viewers.map((viewer) => viewer.over));
    await within(gone, this.#options.leaveTimeoutMs);
    for (const { channel } of viewers) channel.abort(new Error('the session has ended'));
    await gone;
  }
}

/** Resolves when `done` has settled, or after `ms` milliseconds. */
async function within(done: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([done, late]);
  clearTimeout(timer);
}
