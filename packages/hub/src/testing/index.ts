export { agentOwnershipSuite, type AgentOwnershipFixture } from './ownership-suite.js';
export { commandQueueSuite, type CommandQueueFixture } from './command-queue-suite.js';
export type { TestRunner } from './runner.js';
