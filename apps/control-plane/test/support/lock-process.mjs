// A process that takes a lock and obeys lines on its standard input; it says what happens on its standard output.
// Arguments: the lock's path, its lease in ms, how long it waits in ms, and `elsewhere` for a lock that says it was
// taken on another machine.
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { takeLockFolder } from '../../src/early/lock-folder.mjs';

const [path, leaseMs, waitMs, where] = process.argv.slice(2);
const say = (text) => process.stdout.write(`${text}\n`);

let lock;
try {
  lock = await takeLockFolder(path, {
    waitMs: Number(waitMs),
    leaseMs: Number(leaseMs),
    onWait: () => say('waits'),
  });
} catch (error) {
  say(`refused ${error.message}`);
  process.exit(2);
}
if (where === 'elsewhere') {
  const file = join(path, 'owner.json');
  const draft = join(path, 'owner.json.new');
  const owner = JSON.parse(readFileSync(file, 'utf8'));
  // As on another machine: nothing of its process can be seen.
  writeFileSync(draft, JSON.stringify({ ...owner, boot: 'another', startTime: 'another/1' }));
  renameSync(draft, file);
}
lock.lost.addEventListener('abort', () => {
  say(`lost ${lock.lost.reason.code}`);
  process.exit(3);
});
say('held');

createInterface(process.stdin).on('line', (line) => {
  const [order, argument] = line.split(' ');
  if (order === 'release') {
    lock.release();
    say('released');
    process.exit(0);
  }
  if (order === 'block') {
    const until = performance.now() + Number(argument);
    while (performance.now() < until);
    say('blocked');
  }
  // What a database would do: a write that is guarded by the lock.
  if (order === 'write') {
    lock.assertHeld();
    appendFileSync(argument, `${process.pid}\n`);
    say('written');
  }
});
