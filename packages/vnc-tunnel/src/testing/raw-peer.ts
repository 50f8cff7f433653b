import { decodeFrame, encodeFrame, type Frame } from '@streamspace/protocol';
import { deferred, type Deferred } from '../deferred.js';
import type { FrameLink } from '../frame-link.js';

/** The frame with this kind, of a union in which some members have several. */
type FrameOf<K extends Frame['kind'], F = Frame> = F extends { kind: infer Kind }
  ? K extends Kind
    ? F
    : never
  : never;

export interface RawPeer {
  send(frame: Frame): void;
  sendBytes(bytes: Uint8Array): void;
  /** The next frame of this kind that came or comes; frames of other kinds before it are dropped. */
  next<K extends Frame['kind']>(kind: K): Promise<FrameOf<K>>;
  /** Resolves when the link is gone. */
  readonly lost: Promise<Error>;
}

/** A hand-made peer on one end of a link, which keeps to no rules. */
export function rawPeer(link: FrameLink): RawPeer {
  const frames: Frame[] = [];
  const lost = deferred<Error>();
  let arrival: Deferred<void> | undefined;
  link.listen({
    onFrame: (bytes) => {
      frames.push(decodeFrame(bytes.slice()));
      arrival?.resolve();
    },
    onDrain: () => {},
    onClose: (reason) => {
      lost.resolve(reason);
      arrival?.reject(reason);
    },
  });
  return {
    send: (frame) => link.send(encodeFrame(frame)),
    sendBytes: (bytes) => link.send(bytes),
    async next<K extends Frame['kind']>(kind: K): Promise<FrameOf<K>> {
      for (;;) {
        const frame = frames.shift();
        if (frame?.kind === kind) return frame as FrameOf<K>;
        if (frame) continue;
        arrival = deferred();
        await arrival.promise;
      }
    },
    lost: lost.promise,
  };
}
