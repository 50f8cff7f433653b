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
export { connectTcp, connectUnix } from '@streamspace/vnc-tunnel/node';
export { definePlatform, type PlatformDriver } from './define-platform.js';
export { checkGeneration, checkSessionId } from './platform-rules.js';
export { sessionTurns, type SessionTurns } from './session-turns.js';
export type { Agent, AgentEvent, AgentHealth, AgentOptions, AgentStatus } from './agent.js';
export type { AgentMetrics } from './metrics.js';
export { alwaysLeader, type LeaderElection, type Leadership } from './election.js';
export { createAgent } from './create-agent.js';
export { AgentError, type AgentErrorCode } from './errors.js';
