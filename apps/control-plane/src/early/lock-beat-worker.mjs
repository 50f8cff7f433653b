// Renews a lock from a separate thread: a main thread that is busy for long, for example with the opening of PGlite,
// keeps its lock. A process that is stopped as a whole does not.
import { parentPort, workerData } from 'node:worker_threads';
import { HeldBeat } from './held-beat.mjs';

const beat = new HeldBeat(workerData.file, workerData.times);
const timer = setInterval(() => {
  if (beat.renew() !== 'lost') return;
  clearInterval(timer);
  parentPort.postMessage('lost');
}, workerData.beatMs);
