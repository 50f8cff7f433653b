import { MemoryWatch } from './memory.js';
import { Random } from './random.js';
import { must, type Target } from './target.js';

/** Rounds between two looks at what the process holds. */
const ROUNDS_PER_CHECK = { quick: 2_000, slow: 25 };
/** A target that has failed this often is not asked again. */
const MOST_FAILURES = 3;
/** How much of an input is printed, in bytes; the rest comes back with the seed. */
const SHOWN_BYTES = 4_096;

export interface RunOptions {
  readonly seed: number;
  /** The first round. */
  readonly from: number;
  readonly rounds: number;
}

/** Runs rounds of a target, prints what fails and how to see it again, and a line at the end. */
export async function runTarget(
  target: Target,
  { seed, from, rounds }: RunOptions,
): Promise<{ cases: number; failures: number }> {
  const startedAt = performance.now();
  const memory = new MemoryWatch();
  const every = target.casesPerRound === 1 ? ROUNDS_PER_CHECK.quick : ROUNDS_PER_CHECK.slow;
  const loose: unknown[] = [];
  const onLoose = (error: unknown): void => void loose.push(error);
  process.on('unhandledRejection', onLoose).on('uncaughtException', onLoose);
  let done = 0;
  let failures = 0;
  for (let index = from; index < from + rounds && failures < MOST_FAILURES; index++) {
    const inputs: (Uint8Array | string)[] = [];
    done += 1;
    try {
      const running = target.round(Random.of(seed, target.name, index), (input) => void inputs.push(input));
      if (running) {
        await running;
        // What nobody waits for is reported in a turn of its own.
        await new Promise((resolve) => setImmediate(resolve));
      }
      must(loose.length === 0, `unhandled: ${loose.map(describe).join('; ')}`);
      if ((index - from) % every === every - 1 || done === 1) await memory.check();
    } catch (error) {
      failures += 1;
      loose.length = 0;
      report(target, seed, index, inputs, error);
    }
  }
  await target[Symbol.asyncDispose]();
  process.off('unhandledRejection', onLoose).off('uncaughtException', onLoose);
  const cases = done * target.casesPerRound;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${target.name}: ${cases} cases in ${seconds} s, ${failures} failures`);
  return { cases, failures };
}

const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

function report(
  target: Target,
  seed: number,
  index: number,
  inputs: readonly (Uint8Array | string)[],
  error: unknown,
): void {
  console.error(`FAILED ${target.name}, round ${index}: ${describe(error)}`);
  for (const input of inputs) {
    const bytes = Buffer.from(input as Uint8Array);
    const more = bytes.length > SHOWN_BYTES ? `… (${bytes.length} bytes)` : '';
    const kind = typeof input === 'string' ? 'text' : 'bytes';
    console.error(`  ${kind} ${bytes.subarray(0, SHOWN_BYTES).toString('hex')}${more}`);
  }
  const again = `--seed ${seed} --only ${target.name} --from ${index} --cases ${target.casesPerRound}`;
  console.error(`  again: npm run fuzz -- ${again}`);
}
