import { describe, it } from 'vitest';
import { memoryPlatform, platformSuite } from '../src/testing/index.js';

platformSuite({ describe, it }, async () => ({
  platform: memoryPlatform(),
  template: { template: 'echo', manifest: {} },
  close: async () => undefined,
}));
