import type { Screen } from './client-messages.js';
import { ClientMessageType, Encoding, ServerMessageType } from './encodings.js';
import { fields } from './incremental.js';
import { PIXEL_FORMAT_BYTES, writePixelFormat, type PixelFormat } from './pixel-format.js';
import type { Rect } from './rect.js';
import { encodeLatin1 } from './text.js';

/** Bytes of an update's header, and of a rectangle's. */
export const UPDATE_HEADER_BYTES = 4;
export const RECT_HEADER_BYTES = 12;

// Client to server.

export function writeSetPixelFormat(format: PixelFormat): Uint8Array {
  const bytes = new Uint8Array(4 + PIXEL_FORMAT_BYTES);
  bytes[0] = ClientMessageType.setPixelFormat;
  writePixelFormat(bytes, 4, format);
  return bytes;
}

export function writeSetEncodings(encodings: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 + encodings.length * 4);
  const view = fields(bytes);
  view.setUint8(0, ClientMessageType.setEncodings);
  view.setUint16(2, encodings.length);
  encodings.forEach((encoding, index) => view.setInt32(4 + index * 4, encoding));
  return bytes;
}

export function writeFramebufferUpdateRequest(incremental: boolean, area: Rect): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = fields(bytes);
  view.setUint8(0, ClientMessageType.framebufferUpdateRequest);
  view.setUint8(1, incremental ? 1 : 0);
  writeRect(view, 2, area);
  return bytes;
}

export function writeKeyEvent(down: boolean, keysym: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = fields(bytes);
  view.setUint8(0, ClientMessageType.keyEvent);
  view.setUint8(1, down ? 1 : 0);
  view.setUint32(4, keysym);
  return bytes;
}

export function writePointerEvent(buttons: number, x: number, y: number): Uint8Array {
  const bytes = new Uint8Array(6);
  const view = fields(bytes);
  view.setUint8(0, ClientMessageType.pointerEvent);
  view.setUint8(1, buttons);
  view.setUint16(2, x);
  view.setUint16(4, y);
  return bytes;
}

export function writeClientCutText(text: string): Uint8Array {
  return cutText(ClientMessageType.clientCutText, text);
}

export function writeSetDesktopSize(width: number, height: number, screens: readonly Screen[]): Uint8Array {
  const bytes = new Uint8Array(8 + screens.length * 16);
  const view = fields(bytes);
  view.setUint8(0, ClientMessageType.setDesktopSize);
  view.setUint16(2, width);
  view.setUint16(4, height);
  view.setUint8(6, screens.length);
  writeScreens(view, 8, screens);
  return bytes;
}

export function writeEnableContinuousUpdates(enable: boolean, area: Rect): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = fields(bytes);
  view.setUint8(0, ClientMessageType.enableContinuousUpdates);
  view.setUint8(1, enable ? 1 : 0);
  writeRect(view, 2, area);
  return bytes;
}

/** `flags` are those of {@link FenceFlag}, `payload` at most 64 bytes. */
export function writeClientFence(flags: number, payload: Uint8Array): Uint8Array {
  return fence(ClientMessageType.clientFence, flags, payload);
}

// Server to client.

/** SecurityResult of 3.8; a reason makes it a refusal. */
export function writeSecurityResult(refusal?: string): Uint8Array {
  return refusal === undefined ? new Uint8Array(4) : withLength(Uint8Array.of(0, 0, 0, 1), refusal);
}

export function writeServerInit(
  width: number,
  height: number,
  format: PixelFormat,
  name: string,
): Uint8Array {
  const head = new Uint8Array(4 + PIXEL_FORMAT_BYTES);
  fields(head).setUint16(0, width);
  fields(head).setUint16(2, height);
  writePixelFormat(head, 4, format);
  return withLength(head, name);
}

export function writeServerCutText(text: string): Uint8Array {
  return cutText(ServerMessageType.serverCutText, text);
}

export function writeBell(): Uint8Array {
  return Uint8Array.of(ServerMessageType.bell);
}

/** Answers the last continuous update; before any, it says that they can be enabled. */
export function writeEndOfContinuousUpdates(): Uint8Array {
  return Uint8Array.of(ServerMessageType.endOfContinuousUpdates);
}

/** As {@link writeClientFence}. */
export function writeServerFence(flags: number, payload: Uint8Array): Uint8Array {
  return fence(ServerMessageType.serverFence, flags, payload);
}

/** The header of an update of `rectangles` rectangles. */
export function writeUpdateHeader(target: DataView, offset: number, rectangles: number): number {
  target.setUint8(offset, ServerMessageType.framebufferUpdate);
  target.setUint8(offset + 1, 0);
  target.setUint16(offset + 2, rectangles);
  return offset + UPDATE_HEADER_BYTES;
}

/** The header of one rectangle. */
export function writeRectHeader(target: DataView, offset: number, rect: Rect, encoding: number): number {
  writeRect(target, offset, rect);
  target.setInt32(offset + 8, encoding);
  return offset + RECT_HEADER_BYTES;
}

/** A whole rectangle that says the desktop's new size. */
export function writeDesktopSizeRect(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(RECT_HEADER_BYTES);
  writeRectHeader(fields(bytes), 0, { x: 0, y: 0, width, height }, Encoding.desktopSize);
  return bytes;
}

/** The same in the extended form, with one screen. See {@link UpdateRectangle} for `reason` and `status`. */
export function writeExtendedDesktopSizeRect(
  width: number,
  height: number,
  reason: number,
  status: number,
): Uint8Array {
  const bytes = new Uint8Array(RECT_HEADER_BYTES + 4 + 16);
  const view = fields(bytes);
  writeRectHeader(view, 0, { x: reason, y: status, width, height }, Encoding.extendedDesktopSize);
  view.setUint8(RECT_HEADER_BYTES, 1);
  writeScreens(view, RECT_HEADER_BYTES + 4, [{ id: 0, x: 0, y: 0, width, height, flags: 0 }]);
  return bytes;
}

function writeRect(view: DataView, offset: number, rect: Rect): void {
  view.setUint16(offset, rect.x);
  view.setUint16(offset + 2, rect.y);
  view.setUint16(offset + 4, rect.width);
  view.setUint16(offset + 6, rect.height);
}

function writeScreens(view: DataView, offset: number, screens: readonly Screen[]): void {
  for (const screen of screens) {
    view.setUint32(offset, screen.id);
    writeRect(view, offset + 4, screen);
    view.setUint32(offset + 12, screen.flags);
    offset += 16;
  }
}

function fence(type: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(9 + payload.length);
  const view = fields(bytes);
  view.setUint8(0, type);
  view.setUint32(4, flags);
  view.setUint8(8, payload.length);
  bytes.set(payload, 9);
  return bytes;
}

function cutText(type: number, text: string): Uint8Array {
  return withLength(Uint8Array.of(type, 0, 0, 0), text);
}

/** `head`, the length of the text in four bytes, the text. */
function withLength(head: Uint8Array, text: string): Uint8Array {
  const encoded = encodeLatin1(text);
  const bytes = new Uint8Array(head.length + 4 + encoded.length);
  bytes.set(head);
  fields(bytes).setUint32(head.length, encoded.length);
  bytes.set(encoded, head.length + 4);
  return bytes;
}
