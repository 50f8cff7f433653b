import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// npm run bench -- <name> [options of that benchmark]

const root = new URL('../', import.meta.url);
const isBenchmark = (name) => existsSync(new URL(`bench/${name}/main.ts`, root));
const available = readdirSync(new URL('bench/', root)).filter(isBenchmark);
const [name = '', ...options] = process.argv.slice(2);
if (!available.includes(name)) {
  console.error(`usage: npm run bench -- <${available.join('|')}> [options]; no benchmark "${name}"`);
  process.exit(2);
}

const bootstrap = new URL('bootstrap.mjs', import.meta.url);
if (existsSync(bootstrap)) {
  const { ensureInstalled } = await import(bootstrap.href);
  await ensureInstalled?.();
}

const main = fileURLToPath(new URL(`bench/${name}/main.ts`, root));
const child = spawn(
  process.execPath,
  ['--conditions=@streamspace/source', '--import', 'tsx', main, ...options],
  { cwd: fileURLToPath(root), stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 130 : 1)));
