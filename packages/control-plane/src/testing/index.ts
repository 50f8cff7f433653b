export { databaseSuite } from './database-suite.js';
export { storesSuite } from './stores-suite.js';
export type { TestRunner } from '@streamspace/hub/testing';
