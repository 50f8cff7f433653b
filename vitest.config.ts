import { readdirSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const packages = readdirSync('packages');
const apps = ['control-plane', 'local-agent'];

interface Options {
  readonly exclude?: string[];
  readonly testTimeout?: number;
  readonly fileParallelism?: false;
}

const project = (name: string, include: string[], options: Options = {}) => ({
  extends: true as const,
  test: { name, include, environment: 'node', testTimeout: 10_000, ...options },
});

/** Files that compare speeds, or have times to keep that a busy machine would not: nothing runs beside them. */
const ALONE = 'tests/integration/**/*.alone.test.ts';

/** Files that take the longest. Begun last, one of them would run while the other worker has nothing left to do. */
const LONG = [
  'migrations',
  'embedded-frozen',
  'local-desktops-suite',
  'embedded-lock',
  'pages',
  'reverse-proxies',
].map((name) => `/${name}.test.ts`);

/** Vitest's order, and the long files first. */
class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.some((end) => moduleId.endsWith(end));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  ssr: { resolve: { conditions: ['@streamspace/source'] } },
  test: {
    passWithNoTests: true,
    retry: 0,
    sequence: { sequencer: LongFilesFirst },
    expect: { poll: { interval: 10, timeout: 5_000 } },
    projects: [
      ...packages.map((name) => project(name, [`packages/${name}/test/**/*.test.ts`])),
      ...apps.map((name) => project(`app-${name}`, [`apps/${name}/test/**/*.test.ts`])),
      project('repository', ['tests/repository/**/*.test.ts'], { testTimeout: 60_000 }),
      project('integration', ['tests/integration/**/*.test.ts'], { exclude: [ALONE], testTimeout: 60_000 }),
      project('integration-alone', [ALONE], { fileParallelism: false, testTimeout: 60_000 }),
      project('chaos', ['tests/chaos/**/*.test.ts'], { testTimeout: 60_000 }),
      project('real-vnc', ['tests/real-vnc/**/*.test.ts'], { testTimeout: 120_000 }),
      project('browser', ['tests/browser/**/*.test.ts'], { testTimeout: 120_000 }),
      project('proxies', ['tests/proxies/**/*.test.ts'], { testTimeout: 180_000 }),
      project('newcomer', ['tests/newcomer/**/*.test.ts'], { testTimeout: 300_000 }),
    ],
  },
});
