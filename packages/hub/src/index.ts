export {
  COMMAND_STATES,
  type AgentOwnership,
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
export { HubError, type HubErrorCode } from './errors.js';
