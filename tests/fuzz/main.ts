import { parseArgs } from 'node:util';
import { agent } from './targets/agent.js';
import { backlog } from './targets/backlog.js';
import { frames, messages } from './targets/codec.js';
import { filter } from './targets/filter.js';
import { hub } from './targets/hub.js';
import { rfb } from './targets/rfb.js';
import { runTarget } from './run-target.js';
import { screen } from './targets/screen.js';
import { serve } from './targets/serve.js';
import type { Target } from './target.js';
import { tunnel } from './targets/tunnel.js';
import { viewer } from './targets/viewer.js';

/** What share of the cases each target gets; `frames` gets what is left. */
const TARGETS: readonly { readonly target: () => Target; readonly share: number }[] = [
  { target: () => messages, share: 0.2 },
  { target: () => rfb, share: 0.1 },
  { target: () => filter, share: 0.15 },
  { target: () => viewer, share: 0.015 },
  { target: () => serve, share: 0.04 },
  { target: () => screen, share: 0.06 },
  { target: () => tunnel, share: 0.12 },
  { target: hub, share: 0.05 },
  { target: backlog, share: 0.001 },
  { target: () => agent, share: 0.03 },
  { target: () => frames, share: 0 },
];

const usage = `usage: npm run fuzz -- [options]
  --cases N    how many inputs, at least 1 (default 20000)
  --seed S     a whole number from 0 to 4294967295 (default: a random one, printed)
  --only NAME  one target: ${TARGETS.map(({ target }) => target().name).join(', ')}
  --from I     start at round I of that target (default 0), to see one failure again`;

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new RangeError(
      `--${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`,
    );
  return value;
}

function readOptions(): { cases: number; seed: number; from: number; only: string | undefined } {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
      only: { type: 'string' },
      from: { type: 'string', default: '0' },
    },
  });
  const { only } = values;
  if (only !== undefined && !TARGETS.some(({ target }) => target().name === only))
    throw new RangeError(`--only: there is no target ${JSON.stringify(only)}`);
  return {
    cases: wholeNumber('cases', values.cases, 1, Number.MAX_SAFE_INTEGER),
    seed: wholeNumber('seed', values.seed, 0, 2 ** 32 - 1),
    from: wholeNumber('from', values.from, 0, Number.MAX_SAFE_INTEGER),
    only,
  };
}

async function main(): Promise<void> {
  const { cases, seed, from, only } = readOptions();
  console.log(`seed ${seed}`);
  let total = 0;
  let failures = 0;
  for (const { target: make, share } of TARGETS) {
    const target = make();
    if (only !== undefined && only !== target.name) continue;
    // The last one has rounds of one case, and makes the number whole.
    const rounds =
      only !== undefined
        ? Math.ceil(cases / target.casesPerRound)
        : share === 0
          ? Math.max(1, cases - total)
          : Math.max(1, Math.floor((cases * share) / target.casesPerRound));
    const result = await runTarget(target, { seed, from, rounds });
    total += result.cases;
    failures += result.failures;
  }
  console.log(`${total} cases, ${failures} failures`);
  process.exitCode = failures > 0 ? 1 : 0;
}

try {
  await main();
} catch (error) {
  console.error(`${String(error)}\n${usage}`);
  process.exitCode = 2;
}
