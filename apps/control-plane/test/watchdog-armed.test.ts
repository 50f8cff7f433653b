import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

// tests/integration/embedded-frozen.test.ts waits for a real freeze, which takes 30 s to count and needs X desktops.
it('the start arms the watchdog once, and keeps it until the process ends', () => {
  const source = readFileSync(new URL('../src/server.ts', import.meta.url), 'utf8');
  expect(source.match(/^ {2}Watchdog\.arm\(\);$/gm)).toHaveLength(1);
});
