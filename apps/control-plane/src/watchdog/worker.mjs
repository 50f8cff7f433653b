// The thread that watches the main thread. Plain JavaScript: it loads without tsx, in source mode and built.
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { endFrozen } from './end-frozen.mjs';
import { FreezeCount } from './freeze-count.mjs';

const { beats, limits, sentence } = workerData;
const count = new FreezeCount(limits);

setInterval(() => {
  if (!count.tick(performance.now(), Atomics.load(beats, 0))) return;
  endFrozen(beats, {
    // The main thread writes nothing any more, and `process.stderr` of a worker goes through it.
    write: () => writeSync(2, `${sentence}\n`),
    // No handler runs in a thread that is frozen, so no other signal would end it.
    kill: () => process.kill(process.pid, 'SIGKILL'),
  });
}, limits.tickMs);
