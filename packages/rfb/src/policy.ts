import { ClientMessageType } from './encodings.js';

/** What a viewer may do with a desktop. Structurally that of `@streamspace/protocol`. */
export interface RfbPolicy {
  /** `control` may type, point and change the desktop's size; `view` may only watch. */
  readonly role: 'control' | 'view';
  /**
   * Which way clipboard texts may go: `in` is from the viewer to the desktop, and takes `control` as well.
   * See {@link RfbPolicyFilter} for what can be held of `out`.
   */
  readonly clipboard: 'both' | 'in' | 'out' | 'none';
}

/** Client message of the General Input Interface: input devices beyond mouse and keyboard. */
export const GII_MESSAGE = 253;

const INPUT: ReadonlySet<number> = new Set([
  ClientMessageType.keyEvent,
  ClientMessageType.pointerEvent,
  ClientMessageType.clientCutText,
  ClientMessageType.xvp,
  ClientMessageType.setDesktopSize,
  GII_MESSAGE,
  ClientMessageType.qemu,
]);

const ACTIVITY: ReadonlySet<number> = new Set([
  ClientMessageType.keyEvent,
  ClientMessageType.pointerEvent,
  ClientMessageType.clientCutText,
  GII_MESSAGE,
  ClientMessageType.qemu,
]);

/** Whether a message of this type tells that somebody is at the viewer: keys, pointer, clipboard. */
export const isActivity = (type: number): boolean => ACTIVITY.has(type);

/** Whether a client may send a message of this type. */
export function allows(policy: RfbPolicy, type: number): boolean {
  if (policy.role === 'view') return !INPUT.has(type);
  return type !== ClientMessageType.clientCutText || allowsClipboardIn(policy);
}

/**
 * Whether a client may negotiate the extended clipboard. In it, a server announces a text, and the client asks for it by
 * a cut text of its own, so that it works in no direction unless it works in both. Without it servers fall back to
 * plain texts.
 */
export function allowsExtendedClipboard(policy: RfbPolicy): boolean {
  return policy.role === 'control' && policy.clipboard === 'both';
}

function allowsClipboardIn({ clipboard }: RfbPolicy): boolean {
  return clipboard === 'both' || clipboard === 'in';
}
