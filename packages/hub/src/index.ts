export {
  COMMAND_STATES,
  INSTANCE_CHANGE_WINDOW_MS,
  LOST_AFTER_MS,
  type AgentEpoch,
  type AgentOwnership,
  type AgentReport,
  type Claim,
  type ClaimRequest,
  type Command,
  type CommandQueue,
  type CommandState,
  type HubBackend,
  type NewCommand,
  type Outcome,
} from './ports.js';
export type { AgentHub, AgentHubOptions, HubEvent, OpenStreamRequest } from './hub.js';
export type { HubCounters, StaleFrame } from './counters.js';
export { HubError, type HubErrorCode } from './errors.js';
export { createAgentHub } from './create-hub.js';
export { memoryBackend } from './memory/backend.js';
export { memoryCommandQueue } from './memory/command-queue.js';
export { memoryOwnership, type MemoryOwnership } from './memory/ownership.js';
