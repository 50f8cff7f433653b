import type { RfbChannel } from './channel.js';
import { ClientMessageParser, type ClientMessage } from './client-messages.js';
import type { Desktop, DesktopSeat } from './desktop.js';
import { FenceFlag, SecurityType } from './encodings.js';
import { RfbError } from './errors.js';
import { fields } from './incremental.js';
import { resolveLimits, type RfbLimits } from './limits.js';
import { NATIVE_PIXEL_FORMAT } from './pixel-format.js';
import { encodeLatin1 } from './text.js';
import { writeVersion } from './version.js';
import { ViewerOutput } from './viewer-output.js';
import { writeSecurityResult, writeServerInit } from './write.js';
import type { Deflater } from './zlib.js';

export interface ServeRfbOptions {
  /** What the viewer may send; beyond a limit the connection is aborted with `limit_exceeded`. @default RFB_LIMITS */
  limits?: Partial<RfbLimits>;
  /**
   * Makes the zlib stream of a viewer that is to get ZRLE; `zlibDeflater` of `@streamspace/rfb/node` does. Called at
   * most once for a connection; it is closed with it. Where the stream fails, the connection is aborted with its error.
   * @default none: ZRLE is not spoken
   */
  deflater?: () => Deflater;
  /** Aborts the connection at once. */
  signal?: AbortSignal;
  /** Told what a {@link DesktopSeat} threw, and in which method; the viewer goes on. @default ignored */
  onError?: (error: unknown, where: string) => void;
}

/**
 * Serves a desktop to one viewer over one channel: RFB 3.8 (3.7 and 3.3 are understood), security None; ZRLE
 * (with a `deflater`), Hextile or Raw, whichever the viewer names first, and CopyRect; cursor and desktop-size pseudo-encodings, fences, continuous
 * updates. Viewers always share the desktop, whatever they ask for.
 *
 * States: greeting → serving → leaving → over. The viewer's end, or the desktop's `closed`, leads to leaving: an update
 * on its way is finished, the channel's own direction is ended, and the rest of the other is read and dropped.
 *
 * There is no limit of time in here. Whoever owns the channel aborts it, or the signal, when the far end stalls.
 *
 * @returns when it is over: nothing after an orderly end, else what ended it ({@link RfbError} when it was what the
 * viewer sent, the channel's error, or the signal's reason). Never rejects.
 */
export async function serveRfb(
  channel: RfbChannel,
  desktop: Desktop,
  options: ServeRfbOptions = {},
): Promise<Error | undefined> {
  const { signal } = options;
  const onAbort = (): void => channel.abort(toError(signal?.reason));
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await new Service(channel, desktop, options).run();
    return undefined;
  } catch (cause) {
    const error = toError(cause);
    if (!(error instanceof Refusal)) channel.abort(error);
    return error instanceof Refusal ? error.cause : error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** The viewer was told why, and the channel ended in order. */
class Refusal extends Error {
  constructor(override readonly cause: RfbError) {
    super(cause.message);
  }
}

class Service {
  readonly #channel: RfbChannel;
  readonly #desktop: Desktop;
  readonly #limits: RfbLimits;
  readonly #deflater: (() => Deflater) | undefined;
  readonly #onError: (error: unknown, where: string) => void;
  readonly #parser: ClientMessageParser;
  /** To be answered once the message after it has been dealt with. */
  #fence: { flags: number; payload: Uint8Array } | undefined;

  constructor(channel: RfbChannel, desktop: Desktop, options: ServeRfbOptions) {
    this.#channel = channel;
    this.#desktop = desktop;
    this.#limits = resolveLimits(options.limits);
    this.#deflater = options.deflater;
    this.#onError = options.onError ?? (() => undefined);
    this.#parser = new ClientMessageParser(this.#limits);
  }

  async run(): Promise<void> {
    if (!(await this.#greet())) return await this.#channel.end();
    const output = new ViewerOutput(this.#channel, this.#desktop, this.#limits.cutTextBytes, this.#deflater);
    const seat = this.#desktop.attach(output);
    try {
      const { width, height } = this.#desktop.framebuffer;
      await this.#channel.write(writeServerInit(width, height, NATIVE_PIXEL_FORMAT, this.#desktop.name));
      await Promise.all([this.#read(seat, output), this.#write(seat, output)]);
    } finally {
      this.#guard('detach', () => seat.detach());
    }
  }

  /** Answers whether the viewer is in; `false` where it left in order before that. */
  async #greet(): Promise<boolean> {
    await this.#channel.write(writeVersion(8));
    const greeting = await this.#nextOrRefuse();
    if (greeting?.type !== 'version') return false;
    if (greeting.version === 3) {
      await this.#channel.write(Uint8Array.of(0, 0, 0, SecurityType.none));
    } else {
      await this.#channel.write(Uint8Array.of(1, SecurityType.none));
      const security = await this.#next();
      if (security?.type !== 'security') return false;
      if (security.chosen !== SecurityType.none) {
        const text = `security type ${security.chosen} is not offered; allowed is 1, None`;
        const error = new RfbError('security_unsupported', text);
        if (greeting.version === 8) await this.#channel.write(writeSecurityResult(text));
        await this.#channel.end();
        throw new Refusal(error);
      }
      if (greeting.version === 8) await this.#channel.write(writeSecurityResult());
    }
    return (await this.#next())?.type === 'clientInit';
  }

  /** A greeting that is none gets its reason in the shape that every version of RFB 3 from 3.7 on understands. */
  async #nextOrRefuse(): Promise<ClientMessage | null> {
    try {
      return await this.#next();
    } catch (error) {
      if (!(error instanceof RfbError) || error.code !== 'version_unsupported') throw error;
      const reason = encodeLatin1(error.message);
      const refusal = new Uint8Array(5 + reason.length);
      fields(refusal).setUint32(1, reason.length);
      refusal.set(reason, 5);
      await this.#channel.write(refusal);
      await this.#channel.end();
      throw new Refusal(error);
    }
  }

  /** The viewer's next message; `null` where it ends. */
  async #next(): Promise<ClientMessage | null> {
    for (;;) {
      const message = this.#parser.next();
      if (message) return message;
      const bytes = await this.#channel.read();
      if (!bytes) {
        this.#parser.finish();
        return null;
      }
      this.#parser.push(bytes);
    }
  }

  async #read(seat: DesktopSeat, output: ViewerOutput): Promise<void> {
    try {
      for (let message = await this.#next(); message; message = await this.#next()) {
        const synchronized = this.#fence;
        this.#fence = undefined;
        this.#handle(message, seat, output);
        if (synchronized) output.answerFence(synchronized.flags, synchronized.payload);
      }
      output.close();
    } catch (error) {
      // Settles the write that the other task may be waiting in.
      output.close();
      this.#channel.abort(toError(error));
      throw error;
    }
  }

  async #write(seat: DesktopSeat, output: ViewerOutput): Promise<void> {
    try {
      await output.run(seat);
      await this.#channel.end();
    } catch (error) {
      this.#channel.abort(toError(error));
      throw error;
    }
  }

  #handle(message: ClientMessage, seat: DesktopSeat, output: ViewerOutput): void {
    switch (message.type) {
      case 'setPixelFormat':
        return output.setPixelFormat(message.format);
      case 'setEncodings':
        return output.setEncodings(message.encodings);
      case 'framebufferUpdateRequest':
        return output.request(message.incremental, message.area);
      case 'keyEvent':
      case 'qemuKeyEvent':
        return this.#guard('key', () => seat.key({ keysym: message.keysym, down: message.down }));
      case 'pointerEvent': {
        const { width, height } = this.#desktop.framebuffer;
        const x = Math.min(message.x, width - 1);
        const y = Math.min(message.y, height - 1);
        return this.#guard('pointer', () => seat.pointer({ x, y, buttons: message.buttons }));
      }
      case 'clientCutText':
        return this.#guard('clipboard', () => seat.clipboard(message.text));
      case 'setDesktopSize': {
        let done = false;
        this.#guard('resize', () => (done = seat.resize?.(message.width, message.height) ?? false));
        return output.answerSize(done ? 0 : seat.resize ? 3 : 1);
      }
      case 'enableContinuousUpdates':
        return output.setContinuous(message.enable ? message.area : undefined);
      case 'clientFence': {
        if ((message.flags & FenceFlag.request) === 0) return;
        // Messages are dealt with one after the other, which is what the first two ask for.
        const flags = message.flags & (FenceFlag.blockBefore | FenceFlag.blockAfter | FenceFlag.syncNext);
        if (flags & FenceFlag.syncNext) this.#fence = { flags, payload: message.payload };
        else output.answerFence(flags, message.payload);
        return;
      }
      default:
        // Extensions that this server does not announce change nothing.
        return;
    }
  }

  #guard(where: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#onError(error, where);
    }
  }
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause ?? 'aborted'));
}
