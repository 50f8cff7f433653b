export type {
  Capabilities,
  Change,
  Platform,
  PlatformSession,
  SessionSpec,
  SessionUsage,
} from './platform.js';
export { PlatformError, type PlatformErrorCode } from './errors.js';
export type { ByteChannel } from '@streamspace/vnc-tunnel';
export type { Agent, AgentEvent, AgentOptions, AgentStatus } from './agent.js';
export { alwaysLeader, type LeaderElection, type Leadership } from './election.js';
export { createAgent } from './create-agent.js';
export { AgentError, type AgentErrorCode } from './errors.js';
