import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './bootstrap.mjs';

// npm run chaos -- [--seeds N] [--kills N] [--simulate N] [--seed S] [--trace]

await ensureInstalled();
const child = spawn(
  process.execPath,
  [
    '--conditions=@streamspace/source',
    '--import',
    'tsx',
    fileURLToPath(new URL('../tests/chaos/main.ts', import.meta.url)),
    ...process.argv.slice(2),
  ],
  { cwd: fileURLToPath(new URL('../', import.meta.url)), stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 130 : 1)));
