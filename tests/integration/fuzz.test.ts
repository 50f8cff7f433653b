import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../fuzz/main.ts', import.meta.url));

const TARGETS = [
  ...['frames', 'messages', 'rfb', 'filter', 'viewer', 'serve', 'screen'],
  ...['tunnel', 'hub', 'backlog', 'agent'],
];

function fuzz(...options: string[]): Promise<{ code: number; output: string }> {
  const node = ['--expose-gc', '--conditions=@streamspace/source', '--import', 'tsx', main, ...options];
  return new Promise((resolve) => {
    execFile(process.execPath, node, { timeout: 50_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr });
    });
  });
}

describe('the fuzzer', () => {
  it('finds nothing in a few thousand cases of every target', async () => {
    const { code, output } = await fuzz('--cases', '3000', '--seed', '1');
    expect(output).toMatch(/^3000 cases, 0 failures\n$/m);
    for (const target of TARGETS)
      expect(output).toMatch(new RegExp(`^${target}: [1-9]\\d* cases in .* 0 failures$`, 'm'));
    expect(code).toBe(0);
  });

  it('says what its options are when one is wrong', async () => {
    const { code, output } = await fuzz('--cases', 'many');
    expect(output).toContain('--cases must be a whole number from 1');
    expect(output).toContain('usage: npm run fuzz');
    expect(code).toBe(2);
  });
});
