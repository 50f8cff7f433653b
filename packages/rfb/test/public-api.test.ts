import { expect, it } from 'vitest';
import * as api from '@streamspace/rfb';

it('The package exports what its users need and nothing more', () => {
  expect(Object.keys(api).sort()).toMatchInlineSnapshot(`
    [
      "ClientMessageParser",
      "ClientMessageType",
      "Encoding",
      "Keysym",
      "NATIVE_PIXEL_FORMAT",
      "RFB_LIMITS",
      "RfbError",
      "SecurityType",
      "ServerMessageParser",
      "ServerMessageType",
      "area",
      "bounds",
      "characterOf",
      "connectRfb",
      "contains",
      "decodePixels",
      "intersect",
      "isEmpty",
      "keysymOf",
      "serveRfb",
      "writeBell",
      "writeClientCutText",
      "writeFramebufferUpdateRequest",
      "writeKeyEvent",
      "writePointerEvent",
      "writeSecurityResult",
      "writeServerCutText",
      "writeServerInit",
      "writeSetDesktopSize",
      "writeSetEncodings",
      "writeSetPixelFormat",
      "writeVersion",
    ]
  `);
});
