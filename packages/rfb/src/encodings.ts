/** Numbers of the encodings and pseudo-encodings that matter here (RFC 6143, section 7.7, and the registry). */
export const Encoding = {
  raw: 0,
  copyRect: 1,
  hextile: 5,
  zrle: 16,
  desktopSize: -223,
  lastRect: -224,
  cursor: -239,
  extendedDesktopSize: -308,
  fence: -312,
  continuousUpdates: -313,
  extendedMouseButtons: -316,
  extendedClipboard: -0x3f5e1a32,
} as const;

/** Those of a rectangle that {@link ServerMessageParser} reads whole. It reads ZRLE, too, and leaves it compressed. */
export const READABLE_ENCODINGS: readonly number[] = [
  Encoding.raw,
  Encoding.copyRect,
  Encoding.hextile,
  Encoding.cursor,
  Encoding.desktopSize,
  Encoding.extendedDesktopSize,
  Encoding.lastRect,
];

/** Type bytes of the messages from client to server. */
export const ClientMessageType = {
  setPixelFormat: 0,
  setEncodings: 2,
  framebufferUpdateRequest: 3,
  keyEvent: 4,
  pointerEvent: 5,
  clientCutText: 6,
  enableContinuousUpdates: 150,
  clientFence: 248,
  xvp: 250,
  setDesktopSize: 251,
  qemu: 255,
} as const;

/** Type bytes of the messages from server to client. */
export const ServerMessageType = {
  framebufferUpdate: 0,
  setColourMapEntries: 1,
  bell: 2,
  serverCutText: 3,
  endOfContinuousUpdates: 150,
  serverFence: 248,
} as const;

/** Bits of a fence: what has to wait for what, and whether an answer is asked for. */
export const FenceFlag = { blockBefore: 1, blockAfter: 2, syncNext: 4, request: 0x8000_0000 } as const;

/** Security types of RFC 6143, section 7.1.2, that are used here. */
export const SecurityType = { invalid: 0, none: 1, vncAuthentication: 2 } as const;

/** Minor version of RFB 3 that both sides speak. */
export type RfbVersion = 3 | 7 | 8;
