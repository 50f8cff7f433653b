import { setTimeout as sleep } from 'node:timers/promises';

/** Looks again until it is so; rejects after `limitMs` with what `otherwise` says. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs: number,
  otherwise: () => string,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${otherwise()}`);
    await sleep(20);
  }
}
