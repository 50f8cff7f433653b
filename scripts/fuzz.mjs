import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './bootstrap.mjs';

// npm run fuzz -- [--cases N] [--seed S] [--only TARGET] [--from ROUND]

await ensureInstalled();
const child = spawn(
  process.execPath,
  [
    '--expose-gc',
    '--conditions=@streamspace/source',
    '--import',
    'tsx',
    fileURLToPath(new URL('../tests/fuzz/main.ts', import.meta.url)),
    ...process.argv.slice(2),
  ],
  { cwd: fileURLToPath(new URL('../', import.meta.url)), stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 130 : 1)));
