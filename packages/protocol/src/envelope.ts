import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';
import { AGENT_MESSAGES, CONTROL_MESSAGES, type AgentMessage, type ControlMessage } from './messages.js';

type Catalogue = typeof AGENT_MESSAGES;

/**
 * One control message as JSON text: `{type, timestamp, payload}`, the timestamp in RFC 3339.
 *
 * @param now the time to stamp, in ms since the epoch
 */
export function encodeMessage(message: AgentMessage | ControlMessage, now: number = Date.now()): string {
  return JSON.stringify({
    type: message.type,
    timestamp: new Date(now).toISOString(),
    payload: message.payload,
  });
}

function decode(source: string, catalogue: Catalogue): { type: string; payload: unknown } {
  if (source.length > LIMITS.controlMessageChars)
    throw new ProtocolError(
      'message_too_large',
      `a control message may have ${LIMITS.controlMessageChars} characters, this one has ${source.length}`,
    );
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
    throw new ProtocolError('unknown_message', `no message type ${JSON.stringify(type.slice(0, 64))}`);
  return { type, payload: catalogue[type]!(payload ?? {}, 'payload') };
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
