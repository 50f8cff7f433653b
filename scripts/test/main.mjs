import { ensureInstalled } from '../bootstrap.mjs';
import { cleanEnvironment } from '../environment.mjs';
import { findParts } from './debian.mjs';
import { describeSegments, findLeftSegments, readSegments } from './shared-memory.mjs';
import { steps } from './steps.mjs';

/** A step that takes this many times its budget is stopped and has failed. */
const OVERRUN = 2;

/** So many failed tests of a step are named at the end. */
const NAMED_FAILURES = 20;

/**
 * `npm test [-- step …]`: every step, or the named ones. Exit code 0, 1 when something failed, 130 after Ctrl-C.
 * The last line is always `N passed, N failed`.
 */
export async function main(names) {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => interrupt.abort());
  const total = { passed: 0, failed: 0 };
  try {
    await runSteps(names, total, interrupt.signal);
  } catch (error) {
    if (!interrupt.signal.aborted) {
      total.failed += 1;
      console.error(
        ['BootstrapError', 'LockHeldError', 'LockLostError'].includes(error.name)
          ? `ERROR: ${error.message}`
          : error,
      );
    }
  }
  if (interrupt.signal.aborted) console.log('Interrupted');
  process.exitCode = interrupt.signal.aborted ? 130 : total.failed > 0 ? 1 : 0;
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`, () => process.exit());
}

async function runSteps(names, total, interrupt) {
  if (names.includes('--help')) {
    console.log(
      `npm test [-- step …]: all steps, or the named ones of\n  ${steps.map((step) => step.name).join(', ')}`,
    );
    return;
  }
  const unknown = names.filter((name) => !steps.some((step) => step.name === name));
  if (unknown.length > 0) {
    total.failed += 1;
    console.error(
      `No such step: ${unknown.join(', ')}. There are: ${steps.map((step) => step.name).join(', ')}`,
    );
    return;
  }
  const strict = process.env.STREAMSPACE_TEST_STRICT === '1';
  await ensureInstalled({ signal: interrupt });
  const chosen = steps.filter((step) => names.length === 0 || names.includes(step.name));
  const missing = await findParts(new Set(chosen.flatMap((step) => step.needs ?? [])), interrupt);
  const context = { environment: testEnvironment(), strict, memory: new Map() };
  const summary = [];
  const failures = [];
  const runOne = async (step) => {
    const lacking = (step.needs ?? []).filter((part) => missing.has(part));
    const result =
      lacking.length > 0
        ? { passed: 0, failed: strict ? 1 : 0, note: `SKIPPED: needs ${lacking.join(', ')}` }
        : await runStep(step, context, interrupt);
    total.passed += result.passed;
    total.failed += result.failed;
    failures.push(...describeFailures(step, result));
    const line = `${step.name}: ${result.passed} passed, ${result.failed} failed${result.note ? ` (${result.note})` : ''}`;
    console.log(`── ${line}${result.seconds === undefined ? '' : `, ${result.seconds.toFixed(1)} s`}`);
    summary.push(
      `${step.name} ${result.seconds === undefined ? 'skipped' : `${result.seconds.toFixed(0)} s`}`,
    );
  };
  for (const some of inGroups(chosen)) {
    interrupt.throwIfAborted();
    await Promise.all(some.map(runOne));
  }
  console.log(`\n${summary.join(' · ')}`);
  if (failures.length > 0) console.log(`Failed:\n${failures.join('\n')}`);
}

/** The steps in their order, neighbours of the same group together. */
function inGroups(chosen) {
  const groups = [];
  for (const step of chosen) {
    const last = groups.at(-1);
    if (step.group !== undefined && last?.[0].group === step.group) last.push(step);
    else groups.push([step]);
  }
  return groups;
}

/** The names once more at the end, so that they are found where only the end of the output was kept. */
function describeFailures(step, { failed, failures = [], note }) {
  if (failed === 0) return [];
  const lines = failures.slice(0, NAMED_FAILURES).map((line) => `  ${step.name}: ${line.slice(0, 400)}`);
  const rest = failed - lines.length;
  if (rest > 0)
    lines.push(`  ${step.name}: ${rest} ${lines.length > 0 ? 'more' : 'failed'}${note ? ` (${note})` : ''}`);
  return lines;
}

/** Never rejects: a step that crashes has failed, and those after it still run. */
async function runStep(step, context, interrupt) {
  console.log(`\n── ${step.name} …`);
  const startedAt = performance.now();
  const segments = readSegments();
  const late = new AbortController();
  const limitS = step.budgetS * OVERRUN;
  const timer = setTimeout(() => late.abort(), limitS * 1000);
  let result;
  try {
    result = await step.run({ ...context, signal: AbortSignal.any([interrupt, late.signal]) });
  } catch (error) {
    if (!interrupt.aborted && !late.signal.aborted) console.error(error);
    result = { passed: 0, failed: 1 };
  }
  clearTimeout(timer);
  const left = await findLeftSegments(segments);
  if (left.length > 0) {
    console.error(describeSegments(left));
    result = { ...result, failed: result.failed + 1 };
  }
  if (late.signal.aborted) {
    result = {
      ...result,
      failed: Math.max(1, result.failed),
      note: `stopped after ${limitS} s, twice its budget`,
    };
  } else if (interrupt.aborted) {
    result = { ...result, failed: 1, note: 'interrupted' };
  }
  return { ...result, seconds: (performance.now() - startedAt) / 1000 };
}

/** Without what a caller has set for a StreamSpace of his own. */
function testEnvironment() {
  const own =
    /^(DB_|AGENT_|REDIS_|STREAMSPACE_(?!TEST_)|VITEST|JWT_SECRET$|PORT$|HOST$|LOG_LEVEL$|POD_NAME$|REGION$|MAX_)/;
  const entries = Object.entries(cleanEnvironment()).filter(([name]) => !own.test(name));
  return Object.fromEntries(entries);
}
