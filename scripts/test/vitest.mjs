import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../bootstrap.mjs';
import { run } from '../child.mjs';

/** Runs vitest projects; a test file that could not be loaded, and an error outside of any test, count as failed. */
export async function runProjects(projects, { environment, strict, signal }, options = []) {
  const folder = join(root, '.artifacts', 'test');
  const report = join(folder, `${projects.length > 1 ? 'unit' : projects[0]}.json`);
  mkdirSync(folder, { recursive: true });
  rmSync(report, { force: true });
  const args = [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...projects.flatMap((name) => ['--project', name]),
    ...options,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const result = await run(process.execPath, args, {
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
  const { passed, skipped } = counts;
  let { failed } = counts;
  if (!result.ok && failed === 0) failed = 1;
  if (skipped === 0) return { passed, failed };
  return { passed, failed: strict ? failed + skipped : failed, note: `${skipped} SKIPPED` };
}

function readReport(path) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + (report.numTodoTests ?? 0),
  };
}
