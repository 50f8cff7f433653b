// One of several processes that use one lock as a seed says: take it, work under it, stop, give it back, or die.
// Work is a folder that exists only while somebody works: finding it there means two holders at once.
// Arguments: the lock's path, the seed, how many times it takes the lock, and the lease in ms.
import { mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { takeLockFolder } from '../../src/early/lock-folder.mjs';

const [path, seed, rounds, leaseMs] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const say = (text) => writeFileSync(1, `${text}\n`);

let state = seed;
/** From 0 to below `limit`, by mulberry32. */
const random = (limit) => {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
  return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
};

const work = async (lock) => {
  lock.assertHeld();
  try {
    mkdirSync(`${path}.work`);
  } catch (error) {
    say(`violation: ${error.code}`);
    process.exit(4);
  }
  await sleep(random(4));
  rmdirSync(`${path}.work`);
};

for (let round = 0; round < rounds; round++) {
  const lock = await takeLockFolder(path, { waitMs: 600_000, leaseMs });
  const isElsewhere = random(2) === 0;
  if (isElsewhere) {
    const file = join(path, 'owner.json');
    const owner = { ...JSON.parse(readFileSync(file, 'utf8')), boot: 'another', startTime: 'another/1' };
    writeFileSync(`${path}.edited`, JSON.stringify(owner));
    renameSync(`${path}.edited`, file);
  }
  lock.lost.addEventListener('abort', () => {
    say('lost');
    process.exit(0);
  });
  say('taken');
  for (let times = random(4); times >= 0; times--) await work(lock);
  const fate = random(10);
  if (fate === 0) process.kill(process.pid, 'SIGKILL');
  if (fate === 1) {
    say(`stops ${random(2 * leaseMs)}`);
    process.kill(process.pid, 'SIGSTOP');
    await work(lock);
  }
  lock.release();
  await sleep(random(20));
}
say('done');
process.exit(0);
