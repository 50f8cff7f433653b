export { serveRfb, type ServeRfbOptions } from './serve.js';
export type { CursorImage, Desktop, DesktopSeat, DesktopView, Framebuffer } from './desktop.js';
export type { RfbChannel } from './channel.js';
export { type Rect, area, bounds, contains, intersect, isEmpty } from './rect.js';
export { Keysym, characterOf, keysymOf } from './keysyms.js';

export type { RfbPolicy } from './policy.js';
export { RfbPolicyFilter, type RfbPolicyFilterOptions } from './policy-filter.js';
export { filterChannel, type ClosingChannel } from './filter-channel.js';

export type { Deflater, Inflater } from './zlib.js';
export { connectRfb, type ConnectRfbOptions, type RfbClient, type RfbUpdate } from './client.js';

export { RfbError, type RfbErrorCode } from './errors.js';
export { RFB_LIMITS, type RfbLimits } from './limits.js';
export { ClientMessageParser, type ClientMessage, type Screen } from './client-messages.js';
export { ServerMessageParser, type ServerMessage, type UpdateRectangle } from './server-messages.js';
export {
  ClientMessageType,
  Encoding,
  FenceFlag,
  READABLE_ENCODINGS,
  SecurityType,
  ServerMessageType,
  type RfbVersion,
} from './encodings.js';
export { NATIVE_PIXEL_FORMAT, decodePixels, type PixelFormat } from './pixel-format.js';
export { writeVersion } from './version.js';
export {
  writeBell,
  writeClientCutText,
  writeClientFence,
  writeEnableContinuousUpdates,
  writeEndOfContinuousUpdates,
  writeFramebufferUpdateRequest,
  writeKeyEvent,
  writePointerEvent,
  writeSecurityResult,
  writeServerCutText,
  writeServerFence,
  writeServerInit,
  writeSetDesktopSize,
  writeSetEncodings,
  writeSetPixelFormat,
} from './write.js';
