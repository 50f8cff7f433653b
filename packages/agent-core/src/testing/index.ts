export {
  platformSuite,
  runPlatformSuite,
  type PlatformTestOptions,
  type TestRunner,
} from './platform-suite.js';
export type { IsolationProbe, PlatformFixture, SessionPlace, StreamViewer } from './platform-fixture.js';
export type { PlatformSuiteOptions } from './run-case.js';
export type { CaseResult, PlatformCompliance } from './compliance.js';
export { memoryPlatform, type MemoryPlatform, type MemoryPlatformOptions } from './memory-platform.js';
export { memoryHost, type MemoryHost } from './memory-host.js';
export { echoViewer } from './echo-viewer.js';
