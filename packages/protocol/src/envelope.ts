import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';
import { AGENT_MESSAGES, CONTROL_MESSAGES, type AgentMessage, type ControlMessage } from './messages.js';
import { cutText, toPortableJson } from './text.js';

type Catalogue = typeof AGENT_MESSAGES;

/**
 * One control message as JSON text: `{type, timestamp, payload}`, the timestamp in RFC 3339. Lone surrogates
 * become U+FFFD: not every language reads them.
 *
 * @param now the time to stamp, in ms since the epoch
 */
export function encodeMessage(message: AgentMessage | ControlMessage, now: number = Date.now()): string {
  return toPortableJson({
    type: message.type,
    timestamp: new Date(now).toISOString(),
    payload: message.payload,
  });
}

function decode(source: string, catalogue: Catalogue): { type: string; payload: unknown } {
  checkLength(source, 'control message', LIMITS.controlMessageChars);
  let document: unknown;
  try {
    document = JSON.parse(source);
  } catch (cause) {
    throw new ProtocolError('malformed_message', 'a control message must be one JSON document', { cause });
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new ProtocolError(
      'malformed_message',
      'a control message must be an object {type, timestamp, payload}',
    );
  const { type, payload } = document as { type?: unknown; payload?: unknown };
  if (typeof type !== 'string') throw new ProtocolError('malformed_message', 'type must be a string');
  if (!Object.hasOwn(catalogue, type))
    throw new ProtocolError('unknown_message', `no message type ${JSON.stringify(cutText(type, 64))}`);
  if (type === 'session_event') checkLength(source, type, LIMITS.eventChars);
  return { type, payload: catalogue[type]!(payload ?? {}, 'payload') };
}

function checkLength({ length }: string, what: string, allowed: number): void {
  if (length <= allowed) return;
  throw new ProtocolError(
    'message_too_large',
    `a ${what} may have ${allowed} characters, this one has ${length}`,
  );
}

/**
 * Reads a message that an agent sent.
 *
 * @throws ProtocolError `malformed_message`, `message_too_large`, or `unknown_message` (ignore and count that one)
 */
export function decodeAgentMessage(source: string): AgentMessage {
  return decode(source, AGENT_MESSAGES) as AgentMessage;
}

/**
 * Reads a message that the control plane sent.
 *
 * @throws ProtocolError `malformed_message`, `message_too_large`, or `unknown_message` (ignore and count that one)
 */
export function decodeControlMessage(source: string): ControlMessage {
  return decode(source, CONTROL_MESSAGES) as ControlMessage;
}
