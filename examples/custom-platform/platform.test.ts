import { describe, it } from 'node:test';
import { platformSuite } from '@streamspace/agent-core/testing';
import { fixture } from './fixture.js';

platformSuite({ describe, it }, fixture);
