import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { root } from '../bootstrap.mjs';
import { run } from '../child.mjs';

/**
 * Runs vitest projects; a test file that could not be loaded, and an error outside of any test, count as failed.
 *
 * @param name of the step; the report is called like it, and so is the project where none are named
 * @param files parts of paths; only test files whose path has one of them run. Default: all
 * @param filesAtOnce so many test files run beside each other, in projects that allow it. Default: vitest's
 * @param context `node` is the Node to run them on
 */
export async function runProjects(
  name,
  { environment, strict, signal, node = process.execPath },
  { projects = [name], files = [], filesAtOnce } = {},
) {
  const folder = join(root, '.artifacts', 'test');
  const report = join(folder, `${name}.json`);
  mkdirSync(folder, { recursive: true });
  rmSync(report, { force: true });
  const args = [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...projects.flatMap((project) => ['--project', project]),
    ...files,
    ...(filesAtOnce === undefined ? [] : [`--maxWorkers=${filesAtOnce}`]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const result = await run(node, args, {
    cwd: root,
    env: environment,
    echo: true,
    detached: true,
    signal,
  });
  const counts = readReport(report);
  if (counts === undefined) {
    console.error(`vitest ended (${result.killedBy ?? `exit code ${result.code}`}) without a report`);
    return { passed: 0, failed: 1 };
  }
  const { passed, skipped, failures } = counts;
  let { failed } = counts;
  if (!result.ok && failed === 0) failed = 1;
  if (skipped === 0) return { passed, failed, failures };
  return { passed, failed: strict ? failed + skipped : failed, failures, note: `${skipped} SKIPPED` };
}

function readReport(path) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
  const tests = report.testResults.map((file) =>
    file.assertionResults.filter((test) => test.status === 'failed'),
  );
  const brokenFiles = report.testResults.filter(
    (file, index) => file.status === 'failed' && tests[index].length === 0,
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + (report.numTodoTests ?? 0),
    failures: [
      ...brokenFiles.map((file) => describe(file, undefined, file.message)),
      ...report.testResults.flatMap((file, index) =>
        tests[index].map((test) => describe(file, test.fullName, test.failureMessages[0])),
      ),
    ],
  };
}

/** One line: the file, the test, and the first line of what it said. */
function describe(file, title, message = '') {
  const first = stripVTControlCharacters(message).trim().split('\n', 1)[0];
  return [relative(root, file.name), title, first].filter(Boolean).join(' | ');
}
