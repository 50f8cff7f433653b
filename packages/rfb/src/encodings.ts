/** Numbers of the encodings and pseudo-encodings that are understood here (RFC 6143, section 7.7, and the registry). */
export const Encoding = {
  raw: 0,
  copyRect: 1,
  desktopSize: -223,
  lastRect: -224,
  cursor: -239,
  extendedDesktopSize: -308,
} as const;

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
} as const;

/** Security types of RFC 6143, section 7.1.2, that are used here. */
export const SecurityType = { invalid: 0, none: 1 } as const;

/** Minor version of RFB 3 that both sides speak. */
export type RfbVersion = 3 | 7 | 8;
