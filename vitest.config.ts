import { readdirSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const packages = readdirSync('packages');
const apps = ['control-plane', 'local-agent'];

const project = (name: string, include: string[], limits: { testTimeout?: number } = {}) => ({
  extends: true as const,
  test: { name, include, environment: 'node', testTimeout: limits.testTimeout ?? 10_000 },
});

export default defineConfig({
  ssr: { resolve: { conditions: ['@streamspace/source'] } },
  test: {
    passWithNoTests: true,
    retry: 0,
    expect: { poll: { interval: 10, timeout: 5_000 } },
    projects: [
      ...packages.map((name) => project(name, [`packages/${name}/test/**/*.test.ts`])),
      ...apps.map((name) => project(`app-${name}`, [`apps/${name}/test/**/*.test.ts`])),
      project('repository', ['tests/repository/**/*.test.ts'], { testTimeout: 60_000 }),
      project('integration', ['tests/integration/**/*.test.ts'], { testTimeout: 60_000 }),
      project('chaos', ['tests/chaos/**/*.test.ts'], { testTimeout: 60_000 }),
      project('real-vnc', ['tests/real-vnc/**/*.test.ts'], { testTimeout: 120_000 }),
      project('browser', ['tests/browser/**/*.test.ts'], { testTimeout: 120_000 }),
      project('proxies', ['tests/proxies/**/*.test.ts'], { testTimeout: 180_000 }),
      project('newcomer', ['tests/newcomer/**/*.test.ts'], { testTimeout: 300_000 }),
    ],
  },
});
