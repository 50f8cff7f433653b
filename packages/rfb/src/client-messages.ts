import { ClientMessageType, SecurityType, type RfbVersion } from './encodings.js';
import { RfbError } from './errors.js';
import { fields, IncrementalParser, type Grammar } from './incremental.js';
import { resolveLimits, within, type RfbLimits } from './limits.js';
import { PIXEL_FORMAT_BYTES, readPixelFormat, type PixelFormat } from './pixel-format.js';
import type { Rect } from './rect.js';
import { decodeLatin1 } from './text.js';
import { readVersion } from './version.js';

/** One screen of a desktop's layout. */
export interface Screen extends Rect {
  readonly id: number;
  readonly flags: number;
}

/** What a client sends, in the order of the protocol: `version`, `security` (not in 3.3), `clientInit`, then any. */
export type ClientMessage =
  | { readonly type: 'version'; readonly version: RfbVersion }
  | { readonly type: 'security'; readonly chosen: number }
  | { readonly type: 'clientInit'; readonly shared: boolean }
  | { readonly type: 'setPixelFormat'; readonly format: PixelFormat }
  | { readonly type: 'setEncodings'; readonly encodings: readonly number[] }
  | { readonly type: 'framebufferUpdateRequest'; readonly incremental: boolean; readonly area: Rect }
  | { readonly type: 'keyEvent'; readonly down: boolean; readonly keysym: number }
  | { readonly type: 'pointerEvent'; readonly buttons: number; readonly x: number; readonly y: number }
  | { readonly type: 'clientCutText'; readonly text: string }
  /** Extended clipboard: a negative length, and contents that are not looked into. */
  | { readonly type: 'extendedCutText'; readonly bytes: Uint8Array }
  | { readonly type: 'enableContinuousUpdates'; readonly enable: boolean; readonly area: Rect }
  | { readonly type: 'clientFence'; readonly flags: number; readonly payload: Uint8Array }
  | { readonly type: 'xvp'; readonly code: number }
  | {
      readonly type: 'setDesktopSize';
      readonly width: number;
      readonly height: number;
      readonly screens: readonly Screen[];
    }
  | {
      readonly type: 'qemuKeyEvent';
      readonly down: boolean;
      readonly keysym: number;
      readonly keycode: number;
    };

/**
 * Reads the stream from client to server, handshake included, in any fragments; see {@link IncrementalParser} for its
 * use. States: version → security → init → messages; version → init for a 3.3 client, which is told the type.
 *
 * Shapes of extensions are read whether or not the server announced them; other message types fail with
 * `unknown_message`. Only security type None leads on to `clientInit`: any other choice fails with
 * `security_unsupported`, after it was returned as a message.
 */
export class ClientMessageParser extends IncrementalParser<ClientMessage> {
  constructor(limits?: Partial<RfbLimits>) {
    super(clientGrammar(resolveLimits(limits)));
  }
}

function clientGrammar(limits: RfbLimits): () => Grammar<ClientMessage> {
  let status: 'version' | 'security' | 'refused' | 'init' | 'messages' = 'version';
  return function* (): Grammar<ClientMessage> {
    switch (status) {
      case 'version': {
        const version = readVersion(yield 12);
        status = version === 3 ? 'init' : 'security';
        return { type: 'version', version };
      }
      case 'security': {
        const chosen = (yield 1)[0] ?? SecurityType.invalid;
        status = chosen === SecurityType.none ? 'init' : 'refused';
        return { type: 'security', chosen };
      }
      case 'refused':
        throw new RfbError('security_unsupported', 'the client goes on with a security type other than None');
      case 'init':
        status = 'messages';
        return { type: 'clientInit', shared: (yield 1)[0] !== 0 };
      case 'messages':
        return yield* clientMessage((yield 1)[0] ?? 0, limits);
    }
  };
}

function* clientMessage(type: number, limits: RfbLimits): Grammar<ClientMessage> {
  switch (type) {
    case ClientMessageType.setPixelFormat:
      return { type: 'setPixelFormat', format: readPixelFormat((yield 3 + PIXEL_FORMAT_BYTES).subarray(3)) };
    case ClientMessageType.setEncodings: {
      const count = within('the number of encodings', fields(yield 3).getUint16(1), limits.encodings);
      const list = fields(yield count * 4);
      return {
        type: 'setEncodings',
        encodings: Array.from({ length: count }, (_, index) => list.getInt32(index * 4)),
      };
    }
    case ClientMessageType.framebufferUpdateRequest: {
      const view = fields(yield 9);
      return { type: 'framebufferUpdateRequest', incremental: view.getUint8(0) !== 0, area: rectAt(view, 1) };
    }
    case ClientMessageType.keyEvent: {
      const view = fields(yield 7);
      return { type: 'keyEvent', down: view.getUint8(0) !== 0, keysym: view.getUint32(3) };
    }
    case ClientMessageType.pointerEvent: {
      const view = fields(yield 5);
      return {
        type: 'pointerEvent',
        buttons: view.getUint8(0),
        x: view.getUint16(1),
        y: view.getUint16(3),
      };
    }
    case ClientMessageType.clientCutText: {
      const length = fields(yield 7).getInt32(3);
      const bytes = yield within('the clipboard text', Math.abs(length), limits.cutTextBytes);
      return length < 0
        ? { type: 'extendedCutText', bytes: bytes.slice() }
        : { type: 'clientCutText', text: decodeLatin1(bytes) };
    }
    case ClientMessageType.enableContinuousUpdates: {
      const view = fields(yield 9);
      return { type: 'enableContinuousUpdates', enable: view.getUint8(0) !== 0, area: rectAt(view, 1) };
    }
    case ClientMessageType.clientFence: {
      const view = fields(yield 8);
      const flags = view.getUint32(3);
      const payload = yield within('the payload of a fence', view.getUint8(7), limits.fenceBytes);
      return { type: 'clientFence', flags, payload: payload.slice() };
    }
    case ClientMessageType.xvp:
      return { type: 'xvp', code: (yield 3)[2] ?? 0 };
    case ClientMessageType.setDesktopSize: {
      const view = fields(yield 7);
      const width = within('the desktop width', view.getUint16(1), limits.desktopSide);
      const height = within('the desktop height', view.getUint16(3), limits.desktopSide);
      const count = within('the number of screens', view.getUint8(5), limits.screens);
      return { type: 'setDesktopSize', width, height, screens: readScreens(yield count * 16, count) };
    }
    case ClientMessageType.qemu: {
      const kind = (yield 1)[0];
      if (kind !== 0) {
        throw new RfbError('unknown_message', `QEMU client message ${kind}; allowed is 0, an extended key`);
      }
      const view = fields(yield 10);
      return {
        type: 'qemuKeyEvent',
        down: view.getUint16(0) !== 0,
        keysym: view.getUint32(2),
        keycode: view.getUint32(6),
      };
    }
    default:
      throw new RfbError(
        'unknown_message',
        `client message of type ${type}; allowed are ${Object.values(ClientMessageType).join(', ')}`,
      );
  }
}

function rectAt(view: DataView, offset: number): Rect {
  return {
    x: view.getUint16(offset),
    y: view.getUint16(offset + 2),
    width: view.getUint16(offset + 4),
    height: view.getUint16(offset + 6),
  };
}

/** Reads `count` screens of 16 bytes each. */
export function readScreens(bytes: Uint8Array, count: number): Screen[] {
  const view = fields(bytes);
  return Array.from({ length: count }, (_, index) => ({
    id: view.getUint32(index * 16),
    ...rectAt(view, index * 16 + 4),
    flags: view.getUint32(index * 16 + 12),
  }));
}
