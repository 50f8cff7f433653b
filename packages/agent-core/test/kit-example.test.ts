import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { KIT_CASES } from '../src/testing/kit/cases.js';

const FOLDER = 'examples/custom-platform';
const run = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['--conditions=@streamspace/source', '--import', 'tsx', ...args], {
    cwd: FOLDER,
  });
const version = (path: string): unknown =>
  (JSON.parse(readFileSync(path, 'utf8')) as { version: unknown }).version;

describe('the example custom-platform', { timeout: 60_000 }, () => {
  it('passes the kit under node:test, and is in less than 100 lines', async () => {
    const { stdout } = await run('--test', '--test-reporter=tap', 'platform.test.ts');
    expect(stdout).toContain(`\n# tests ${KIT_CASES.length}\n`);
    expect(stdout).toContain('\n# fail 0\n');
    expect(readFileSync(`${FOLDER}/platform.ts`, 'utf8').split('\n').length).toBeLessThan(100);
  });

  it('prints its compliance report', async () => {
    const { stdout } = await run('report.ts');
    expect(stdout).toMatch(/^# Compliance of the platform machines\n\n\d+ passed, 0 failed, \d+ skipped\.\n/);
    expect(stdout).toContain('| hibernate | no | A machine that is put aside is one that nobody can use. |');
  });

  it('asks for the version of this checkout', () => {
    const manifest = JSON.parse(readFileSync(`${FOLDER}/package.json`, 'utf8')) as {
      version: string;
      dependencies: Record<string, string>;
    };
    expect(manifest.dependencies['@streamspace/agent-core']).toBe(
      version('packages/agent-core/package.json'),
    );
  });
});
