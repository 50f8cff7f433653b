import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, describe, it } from 'vitest';
import { RfbError } from '@streamspace/rfb';
import { ByteSieve, type SieveRules } from '../src/byte-sieve.js';
import { IncrementalParser, type Grammar } from '../src/incremental.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const LARGE = 32 * 1024 * 1024;

/** Waits until what was allocated since `before` is free, but for a tenth of a large buffer. */
async function expectFreed(before: number): Promise<void> {
  await expect
    .poll(() => {
      collect();
      return process.memoryUsage().arrayBuffers - before;
    })
    .toBeLessThan(LARGE / 10);
}

function allocated(): number {
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** Its own function, so that nothing of what was pushed stays on the stack. */
function expectRefused(call: () => unknown): void {
  expect(call).toThrow(RfbError);
}

/** Made here: until its stack is looked at, an error holds what was running where it was made. */
const refused = new RfbError('bad_message', 'no');

function* four(sieve: ByteSieve): SieveRules {
  for (;;) sieve.emit(yield 4);
}

describe('A sieve', () => {
  it('gives out a head as it was, though the next one begins in the same piece', () => {
    const sieve = new ByteSieve(four);
    expect(sieve.push(Uint8Array.of(1, 2, 3))).toHaveLength(0);
    expect([...sieve.push(Uint8Array.of(4, 5, 6))]).toEqual([1, 2, 3, 4]);
    expect([...sieve.push(Uint8Array.of(7, 8, 9))]).toEqual([5, 6, 7, 8]);
  });

  it.each<[string, (sieve: ByteSieve) => SieveRules, number[]]>([
    [
      'what it held',
      function* () {
        yield LARGE;
        throw refused;
      },
      [1, LARGE - 1],
    ],
    [
      'what was to pass',
      function* (sieve) {
        yield* sieve.flow(LARGE, true);
        yield 1;
        throw refused;
      },
      [LARGE + 1],
    ],
    [
      'what was to pass before something else',
      function* (sieve) {
        yield* sieve.flow(LARGE, true);
        sieve.emit(Uint8Array.of(1));
        yield 1;
        throw refused;
      },
      [LARGE + 1],
    ],
  ])('that has failed keeps nothing of %s', async (_, rules, pushes) => {
    const before = allocated();
    const sieve = new ByteSieve(rules);
    const last = pushes.pop() ?? 0;
    for (const size of pushes) sieve.push(new Uint8Array(size));
    expectRefused(() => sieve.push(new Uint8Array(last)));
    await expectFreed(before);
    expectRefused(() => sieve.push(Uint8Array.of(1)));
  });
});

describe('A parser', () => {
  function* large(): Grammar<number> {
    return (yield LARGE).length;
  }
  function* refusing(): Grammar<number> {
    yield LARGE;
    throw refused;
  }

  it('gives back the buffer of a large message after it', async () => {
    const before = allocated();
    const parser = new IncrementalParser(large);
    parser.push(new Uint8Array(LARGE));
    expect(parser.next()).toBe(LARGE);
    await expectFreed(before);
    expect(parser.midMessage).toBe(false);
  });

  it('that has failed keeps no buffer', async () => {
    const before = allocated();
    const parser = new IncrementalParser(refusing);
    parser.push(new Uint8Array(LARGE));
    expectRefused(() => parser.next());
    await expectFreed(before);
    expectRefused(() => parser.next());
  });
});
