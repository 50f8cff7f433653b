import { ClientMessageType } from './encodings.js';
import { RfbError } from './errors.js';
import { fields } from './incremental.js';
import { within, type RfbLimits } from './limits.js';
import { GII_MESSAGE } from './policy.js';

/** How a client's message goes on behind its type byte. */
export interface MessageShape {
  /** Bytes that follow in any case: all of them, or a head. */
  readonly bytes: number;
  /** How many bytes follow the head. Throws {@link RfbError} where that cannot be told, or is beyond a limit. */
  readonly rest?: (head: Uint8Array, limits: RfbLimits) => number;
}

/** Every message of a client whose length is known, by type. */
export const CLIENT_MESSAGE_SHAPES: ReadonlyMap<number, MessageShape> = new Map<number, MessageShape>([
  [ClientMessageType.setPixelFormat, { bytes: 19 }],
  [
    ClientMessageType.setEncodings,
    {
      bytes: 3,
      rest: (head, limits) =>
        within('the number of encodings', fields(head).getUint16(1), limits.encodings) * 4,
    },
  ],
  [ClientMessageType.framebufferUpdateRequest, { bytes: 9 }],
  [ClientMessageType.keyEvent, { bytes: 7 }],
  [ClientMessageType.pointerEvent, { bytes: 5 }],
  // Without a limit: whoever holds texts has to have one.
  [ClientMessageType.clientCutText, { bytes: 7, rest: (head) => Math.abs(cutTextLength(head)) }],
  [ClientMessageType.enableContinuousUpdates, { bytes: 9 }],
  [
    ClientMessageType.clientFence,
    { bytes: 8, rest: (head, limits) => within('the payload of a fence', head[7] ?? 0, limits.fenceBytes) },
  ],
  [ClientMessageType.xvp, { bytes: 3 }],
  [
    ClientMessageType.setDesktopSize,
    { bytes: 7, rest: (head, limits) => within('the number of screens', head[5] ?? 0, limits.screens) * 16 },
  ],
  [
    GII_MESSAGE,
    {
      bytes: 3,
      rest: (head) => {
        const bigEndian = ((head[0] ?? 0) & 0x80) !== 0;
        return fields(head).getUint16(1, !bigEndian);
      },
    },
  ],
  [
    ClientMessageType.qemu,
    {
      bytes: 1,
      rest: ([kind]) => {
        if (kind === 0) return 10;
        throw new RfbError('unknown_message', `QEMU client message ${kind}; allowed is 0, an extended key`);
      },
    },
  ],
]);

/** Of a ClientCutText behind its type byte, in bytes; negative where the text is one of the extended clipboard. */
export function cutTextLength(head: Uint8Array): number {
  return fields(head).getInt32(3);
}
