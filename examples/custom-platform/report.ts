import { runPlatformSuite } from '@streamspace/agent-core/testing';
import { fixture } from './fixture.js';

const { markdown, failed } = await runPlatformSuite(fixture);
console.log(markdown);
process.exitCode = failed > 0 ? 1 : 0;
