import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../bootstrap.mjs';
import { run } from '../child.mjs';
import { forEach } from './at-once.mjs';
import { entriesOf, importEntry, openShippedDatabase } from './installed-entries.mjs';
import { installPackages } from './installed-packages.mjs';

/** Builds, packs, lints and installs every publishable package, and imports each of their entries. */
export async function checkPackages(context) {
  const { packages, folder, isInstalled, passed, failed } = await installPackages(context);
  const result = { passed, failed };
  const check = async (what, outcome) => {
    const { ok, output } = await outcome;
    if (ok) result.passed += 1;
    else {
      result.failed += 1;
      console.error(`✗ ${what}\n${output.trimEnd()}`);
    }
  };
  await forEach(
    packages.filter((one) => one.tarball),
    async ({ name, tarball }) => {
      await check(`publint ${name}`, tool('publint/src/cli.js', ['run', tarball, '--strict'], context));
      await check(
        `attw ${name}`,
        tool('@arethetypeswrong/cli/dist/index.js', [tarball, '--profile', 'esm-only'], context),
      );
    },
  );
  if (!isInstalled) return result;
  await forEach(entriesOf(packages), (entry) =>
    check(`import ${entry}`, importEntry(entry, folder, context)),
  );
  await check('a new database begins as the snapshot in the tarball', openShippedDatabase(folder, context));
  await check('the starter of agent-core passes the kit', testStarter(folder, context));
  return result;
}

function tool(path, args, { environment, signal }) {
  return run(process.execPath, [join(root, 'node_modules', path), ...args], {
    cwd: root,
    env: environment,
    signal,
  });
}

/** The platform that authors copy, from the installed package and with its own test. */
function testStarter(folder, { environment, signal }) {
  const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href;
  const test = 'node_modules/@streamspace/agent-core/dist/starter/platform.test.ts';
  return run(process.execPath, ['--import', tsx, '--test', test], { cwd: folder, env: environment, signal });
}
