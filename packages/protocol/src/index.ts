export { decodeAgentMessage, decodeControlMessage, encodeMessage } from './envelope.js';
export {
  ACTIONS,
  OBSERVED_STATES,
  SESSION_STATES,
  type Action,
  type AgentMessage,
  type AgentPayloads,
  type Capacity,
  type ControlMessage,
  type ControlPayloads,
  type InventoryEntry,
  type ObservedState,
  type SessionState,
} from './messages.js';
export {
  decodeFrame,
  encodeData,
  encodeDataInto,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  RESET_CODE,
  type Attachment,
  type Frame,
  type OpenRequest,
  type ResetReason,
  type ResumeRequest,
  type StreamPolicy,
} from './frames.js';
export { CLOSE, closeReason, type CloseCode } from './close-codes.js';
export { cutText, isIdentifier } from './text.js';
export { LIMITS, PROTOCOL_VERSIONS, SUBPROTOCOL_V2 } from './limits.js';
export { ProtocolError, type ProtocolErrorCode } from './errors.js';
