export { databaseSuite } from './database-suite.js';
export { openFixtures, type Fixtures } from './fixtures.js';
export { storesSuite } from './stores-suite.js';
export type { TestRunner } from '@streamspace/hub/testing';
