// A process that arms the watchdog with short ticks. Lines on standard input: `spin` freezes the main thread for longer
// than it counts to, `inspect` opens an inspector and waits for some beats, anything else is only answered.
import inspector from 'node:inspector';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { Watchdog } from '../../src/watchdog/watchdog.js';

const BEAT_MS = 10;
const limits = { ticks: 10, tickMs: 20, lateMs: 40 };
const FREEZES = 10;

const watchdog = Watchdog.arm({ limits, beatMs: BEAT_MS });
console.log(watchdog ? 'armed' : 'not armed');
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'spin') {
    const end = performance.now() + FREEZES * limits.ticks * limits.tickMs;
    while (performance.now() < end);
  } else if (line === 'inspect') {
    inspector.open(0, '127.0.0.1');
    await pause(10 * BEAT_MS);
  }
  console.log(`answered ${line}`);
}
