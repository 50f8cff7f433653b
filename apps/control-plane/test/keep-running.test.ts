import { describe, expect, it } from 'vitest';
import { keepRunning } from '../src/keep-running.js';

const unauthorized = () => Object.assign(new Error('unknown key'), { code: 'unauthorized' });

/** Runs an agent that does what `script` says, one entry per run, and stops after the last. */
async function runScript(script: (() => void)[], newKey: () => Promise<string>) {
  const stop = new AbortController();
  const keys: string[] = [];
  const ends: unknown[] = [];
  await keepRunning({
    key: 'first',
    newKey,
    async run(key) {
      keys.push(key);
      const step = script[keys.length - 1];
      if (step) step();
      else stop.abort();
    },
    signal: stop.signal,
    onEnd: (error) => ends.push(error),
    pauseMs: 1,
  });
  return { keys, ends: ends.map(String) };
}

const throwing = (error: unknown) => () => {
  throw error;
};

describe('an agent that is kept running', () => {
  it('is run again after whatever ended it', async () => {
    const failures = [new Error('one'), new Error('two'), 'three'].map(throwing);
    const { keys, ends } = await runScript([...failures, () => undefined], async () => 'never');
    expect(keys).toEqual(['first', 'first', 'first', 'first', 'first']);
    expect(ends).toEqual(['Error: one', 'Error: two', 'three', 'Error: it ended without an error']);
  });

  it('gets a new key each time its own is not known, at once unless the last was new', async () => {
    let made = 0;
    const refused = throwing(unauthorized());
    const { keys, ends } = await runScript(
      [refused, refused, throwing(new Error('other')), refused],
      async () => `key ${++made}`,
    );
    expect(keys).toEqual(['first', 'key 1', 'key 2', 'key 2', 'key 3']);
    expect(ends).toEqual(['Error: unknown key', 'Error: other']);
  });

  it('survives that no key can be made', async () => {
    let isAway = true;
    const { keys, ends } = await runScript([throwing(unauthorized()), throwing(unauthorized())], async () => {
      if (!isAway) return 'another';
      isAway = false;
      throw new Error('database away');
    });
    expect(keys).toEqual(['first', 'first', 'another']);
    expect(ends).toEqual(['Error: database away']);
  });
});
