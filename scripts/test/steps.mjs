import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../bootstrap.mjs';
import { run } from '../child.mjs';
import { ensureWebBuilt } from '../web-build.mjs';
import { checkOtherNodes } from './nodes.mjs';
import { checkPackages } from './packages.mjs';
import { fingerprintOfTree } from './tree.mjs';
import { runProjects } from './vitest.mjs';

const bin = (path) => join(root, 'node_modules', path);

/**
 * In the order in which they run, the quick ones first. `run` resolves with how many checks passed and failed;
 * `needs` names Debian packages. Neighbours with the same `group` run at once. Two test files run at once where most of
 * them wait for databases, processes and browsers.
 */
export const steps = [
  { name: 'tidy', budgetS: 10, run: removeBuilt },
  {
    name: 'format',
    group: 'sources',
    budgetS: 60,
    run: command(bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.'),
  },
  {
    name: 'lint',
    group: 'sources',
    budgetS: 120,
    run: command(bin('eslint/bin/eslint.js'), '--max-warnings', '0', '.'),
  },
  { name: 'types', group: 'sources', budgetS: 90, run: checkTypes },
  // One minute for the unit tests proper, five for contract suites and for processes that are frozen or lose their disk.
  {
    name: 'unit',
    budgetS: 480,
    needs: ['postgresql', 'pgbouncer'],
    run: (context) => runProjects('unit', context, { projects: unitProjects(), filesAtOnce: 2 }),
  },
  { name: 'repository', budgetS: 60, run: (context) => runProjects('repository', context) },
  {
    name: 'integration',
    budgetS: 360,
    needs: ['tigervnc-standalone-server', 'openbox', 'xterm'],
    run: (context) =>
      runProjects('integration', context, {
        projects: ['integration', 'integration-alone'],
        filesAtOnce: 2,
      }),
  },
  {
    // Processes that are killed and databases that go away, under load.
    name: 'chaos',
    budgetS: 220,
    needs: ['postgresql', 'pgbouncer'],
    run: (context) => runProjects('chaos', context, { filesAtOnce: 1 }),
  },
  {
    // VNC software that others wrote.
    name: 'real-vnc',
    budgetS: 90,
    needs: [
      ...['tigervnc-standalone-server', 'x11vnc', 'xvfb', 'x11-xserver-utils', 'openbox', 'xterm'],
      'chromium',
    ],
    run: (context) => runProjects('real-vnc', context, { filesAtOnce: 1 }),
  },
  {
    name: 'browser',
    budgetS: 360,
    needs: ['chromium'],
    run: async (context) => {
      await ensureWebBuilt({ signal: context.signal });
      return runProjects('browser', context, { filesAtOnce: 2 });
    },
  },
  {
    // Reverse proxies that others wrote, between a browser and the product.
    name: 'proxies',
    budgetS: 150,
    needs: ['nginx-light', 'haproxy', 'caddy', 'openssl', 'chromium'],
    run: async (context) => {
      await ensureWebBuilt({ signal: context.signal });
      return runProjects('proxies', context, { filesAtOnce: 2 });
    },
  },
  { name: 'newcomer', budgetS: 180, run: (context) => runProjects('newcomer', context) },
  { name: 'packages', budgetS: 180, run: checkPackages },
  // One minute after the step `packages`; alone it builds them first.
  { name: 'nodes', budgetS: 240, run: checkOtherNodes },
  { name: 'tree', budgetS: 10, run: checkTree },
];

function unitProjects() {
  return [...readdirSync(join(root, 'packages')), 'app-control-plane', 'app-local-agent'];
}

function command(...args) {
  return async ({ environment, signal }) => {
    const result = await run(process.execPath, args, {
      cwd: root,
      env: environment,
      echo: true,
      detached: true,
      signal,
    });
    return result.ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  };
}

async function checkTypes(context) {
  const configs = [
    'tsconfig.json',
    'tsconfig.browser.json',
    'packages/viewer/tsconfig.json',
    'apps/web/tsconfig.json',
  ];
  const results = [];
  for (const config of configs) results.push(await command(bin('typescript/bin/tsc'), '-p', config)(context));
  return { passed: sum(results, 'passed'), failed: sum(results, 'failed') };
}

/** Without built packages, a wrong import condition is an error and not a test of yesterday's code. */
async function removeBuilt({ memory }) {
  for (const name of readdirSync(join(root, 'packages'))) {
    rmSync(join(root, 'packages', name, 'dist'), { recursive: true, force: true });
  }
  memory.set('tree', await fingerprintOfTree());
  return { passed: 1, failed: 0 };
}

/** The run must leave the checkout as it found it. */
async function checkTree({ memory }) {
  const before = memory.get('tree');
  const after = await fingerprintOfTree();
  if (before === undefined || before.text === after.text) return { passed: 1, failed: 0 };
  console.error(
    `The run has changed the checkout. git status before:\n${before.status}\nand after:\n${after.status}`,
  );
  return { passed: 0, failed: 1 };
}

function sum(results, name) {
  return results.reduce((total, result) => total + result[name], 0);
}
