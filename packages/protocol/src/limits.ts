/** The WebSocket subprotocol that selects version 2 of the wire. */
export const SUBPROTOCOL_V2 = 'streamspace.v2';

/** Version numbers of the control messages that this package speaks, best first. */
export const PROTOCOL_VERSIONS: readonly number[] = [2];

/** Every limit of the wire, by name. What happens past one is said where it is enforced and in docs/protocol.md. */
export const LIMITS = {
  /** Largest control message, in UTF-16 code units of its JSON text. Past it: `message_too_large`. */
  controlMessageChars: 2 * 1024 * 1024,
  /** Largest `session_event`, counted in the same way: any agent sends any number of them. Past it: `message_too_large`. */
  eventChars: 64 * 1024,
  /**
   * Largest payload of one DATA frame, in bytes. With its header (18) and a masked message's framing (8) it is 64 KiB,
   * which is what one read of a socket brings: a receiver of many in a row joins none of them from two reads.
   */
  dataBytes: 64 * 1024 - 26,
  /** Largest body of any other frame, in bytes. Past it: `frame_too_large`. */
  frameBodyBytes: 16 * 1024,
  /** Highest offset, credit limit or nonce: what a JSON number can still hold exactly. */
  offset: Number.MAX_SAFE_INTEGER,
  /** Credit that a receiver grants to a new stream, in bytes. */
  initialWindowBytes: 256 * 1024,
  /** Longest identifier (agent, session, command, instance, port name), in characters. */
  idChars: 255,
  /** Longest human-readable reason or error text, in characters. */
  textChars: 4096,
  /** Longest reason of a close frame, in bytes of UTF-8 (RFC 6455 section 5.5, without the code). Past it: cut. */
  closeReasonBytes: 123,
  /** Most entries in a list within one message (sessions of an inventory, finished commands). */
  listEntries: 10_000,
  /**
   * Deepest nesting of objects and lists in a field that holds any JSON object, that object included. Past it:
   * `malformed_message`, since writing it as JSON again would overflow the stack.
   */
  jsonDepth: 64,
} as const;
