// A module to preload (`--import`): SIGUSR2 stops the main thread for good, as an endless loop would, but takes no CPU time.
import { isMainThread } from 'node:worker_threads';

if (isMainThread) process.on('SIGUSR2', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
