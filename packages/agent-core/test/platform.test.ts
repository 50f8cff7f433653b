import { describe, it } from 'vitest';
import { echoViewer, memoryPlatform, platformSuite } from '../src/testing/index.js';

platformSuite({ describe, it }, async () => {
  const platform = memoryPlatform();
  return {
    platform,
    template: { template: 'echo', manifest: {} },
    viewer: echoViewer,
    isolation: { notProbed: 'This one has no host to look into; kit-sound.test.ts tries one that has.' },
    close: () => platform.close(),
  };
});
