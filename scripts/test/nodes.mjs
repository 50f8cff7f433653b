import { forEach } from './at-once.mjs';
import { entriesOf, importEntry, openShippedDatabase } from './installed-entries.mjs';
import { installPackages } from './installed-packages.mjs';
import { nodeBinary, TESTED_MAJORS } from './node-binaries.mjs';
import { runProjects } from './vitest.mjs';

/** Packages whose suites need neither a database nor a desktop. */
const PACKAGES = ['api', 'protocol', 'rfb', 'vnc-tunnel', 'client'];

/** Suites of other packages, for what differs between versions of Node. */
const SUITES = { 'control-plane': ['packages/control-plane/test/other-upgrades.test.ts'] };

/**
 * On each tested version of Node but the one that runs the tests: imports the packed packages, and runs the suites of
 * the pure ones.
 */
export async function checkOtherNodes(context) {
  const { packages, folder, isInstalled } = await installPackages(context);
  const total = { passed: 0, failed: isInstalled ? 0 : 1, failures: [], notes: [] };
  if (!isInstalled) total.notes.push('the packed packages were not installed');
  const running = Number(process.versions.node.split('.')[0]);
  for (const major of TESTED_MAJORS.filter((one) => one !== running)) {
    context.signal.throwIfAborted();
    const { path, version, reason } = await nodeBinary(major, context.signal);
    if (reason !== undefined) {
      total.failed += context.strict ? 1 : 0;
      total.notes.push(`SKIPPED: ${reason}`);
      continue;
    }
    console.log(`Node ${version}`);
    const onNode = { ...context, node: path };
    const results = [await runSuites(`node-${major}`, onNode)];
    if (isInstalled) results.push(await checkInstalled(packages, folder, onNode));
    for (const { passed, failed, failures = [], note } of results) {
      total.passed += passed;
      total.failed += failed;
      total.failures.push(...failures.map((line) => `Node ${version}: ${line}`));
      if (note) total.notes.push(`Node ${version}: ${note}`);
    }
  }
  return { ...total, note: total.notes.join('; ') };
}

function runSuites(name, context) {
  return runProjects(name, context, {
    projects: [...PACKAGES, ...Object.keys(SUITES)],
    files: [...PACKAGES.map((folder) => `packages/${folder}/`), ...Object.values(SUITES).flat()],
    filesAtOnce: 2,
  });
}

async function checkInstalled(packages, folder, context) {
  const result = { passed: 0, failed: 0, failures: [] };
  const check = async (what, outcome) => {
    const { ok, output } = await outcome;
    if (ok) {
      result.passed += 1;
      return;
    }
    result.failed += 1;
    result.failures.push(what);
    console.error(`✗ ${what}\n${output.trimEnd()}`);
  };
  await forEach(entriesOf(packages), (entry) =>
    check(`import ${entry}`, importEntry(entry, folder, context)),
  );
  await check('a new database begins as the snapshot in the tarball', openShippedDatabase(folder, context));
  return result;
}
