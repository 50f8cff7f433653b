export { memoryPlatform, type MemoryPlatform } from './memory-platform.js';
export { platformSuite, type PlatformFixture, type TestRunner } from './platform-suite.js';
