import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { requirePostgres } from '../servers/postgres.js';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const binaries = await requirePostgres();
/** How long one run may take, in ms. Alone on two cores it is a sixth of it. */
const LIMIT_MS = 180_000;

function chaos(...options: string[]): Promise<{ code: number; output: string }> {
  const node = ['--conditions=@streamspace/source', '--import', 'tsx', main, ...options];
  return new Promise((resolve) => {
    execFile(process.execPath, node, { timeout: LIMIT_MS }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr });
    });
  });
}

describe('npm run chaos', () => {
  it.runIf(binaries)(
    'kills control planes and agents under load, and nothing is lost or done twice',
    async () => {
      const { code, output } = await chaos('--simulate', '0', '--seeds', '2', '--kills', '3', '--seed', '1');
      expect(output).toMatch(/^2 schedules, 0 lost, 0 doubled\n$/m);
      expect(output).toMatch(/^processes, seed 2: 3 kills, [1-9]\d* commands,/m);
      expect(code, output).toBe(0);
    },
    LIMIT_MS,
  );

  it('runs simulated schedules alone', async () => {
    const { code, output } = await chaos('--simulate', '3', '--seeds', '0', '--seed', '5');
    expect(output).toMatch(/^simulation: 3 schedules in .* 0 failed\n3 schedules, 0 lost, 0 doubled\n$/m);
    expect(code).toBe(0);
  });

  it('says what its options are when one is wrong', async () => {
    const { code, output } = await chaos('--kills', 'many');
    expect(output).toContain('--kills must be a whole number from 1');
    expect(output).toContain('usage: npm run chaos');
    expect(code).toBe(2);
  });
});
