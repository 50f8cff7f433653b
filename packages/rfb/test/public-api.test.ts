import { expect, it } from 'vitest';
import * as api from '@streamspace/rfb';
import * as node from '@streamspace/rfb/node';

it('What needs Node is apart', () => {
  expect(Object.keys(node).sort()).toEqual(['zlibDeflater', 'zlibInflater']);
});

it('The package exports what its users need and nothing more', () => {
  expect(Object.keys(api).sort()).toMatchInlineSnapshot(`
    [
      "ClientMessageParser",
      "ClientMessageType",
      "Encoding",
      "FenceFlag",
      "Keysym",
      "NATIVE_PIXEL_FORMAT",
      "READABLE_ENCODINGS",
      "RFB_LIMITS",
      "RfbError",
      "RfbPolicyFilter",
      "SecurityType",
      "ServerMessageParser",
      "ServerMessageType",
      "area",
      "bounds",
      "characterOf",
      "connectRfb",
      "contains",
      "decodePixels",
      "filterChannel",
      "intersect",
      "isEmpty",
      "keysymOf",
      "serveRfb",
      "writeBell",
      "writeClientCutText",
      "writeClientFence",
      "writeEnableContinuousUpdates",
      "writeEndOfContinuousUpdates",
      "writeFramebufferUpdateRequest",
      "writeKeyEvent",
      "writePointerEvent",
      "writeSecurityResult",
      "writeServerCutText",
      "writeServerFence",
      "writeServerInit",
      "writeSetDesktopSize",
      "writeSetEncodings",
      "writeSetPixelFormat",
      "writeVersion",
    ]
  `);
});
