import type { KitLimits } from './limits.js';
import { bounded, failure, inWords, turn } from './waiting.js';

/** A moment in the course of a call at which its signal aborts. */
export interface AbortPoint {
  readonly name: string;
  /** @param settled resolves when the call has */
  wait(settled: Promise<unknown>): Promise<void>;
}

const repeat = async (times: number, step: () => Promise<void>): Promise<void> => {
  for (let i = 0; i < times; i++) await step();
};

/** Calls shorter than this are aborted by turns of the event loop only, for timers are not that exact. */
const SHORTEST_TIMED_CALL_MS = 10;

/** Moments that together come near every await of a call that lasts `durationMs` when nobody aborts it. */
export function abortPoints(durationMs: number): AbortPoint[] {
  const points: AbortPoint[] = [{ name: 'at once', wait: async () => undefined }];
  for (const count of [1, 3, 10])
    points.push({
      name: `after ${count} microtasks`,
      wait: () => repeat(count, () => Promise.resolve()),
    });
  for (const count of [1, 2, 4])
    points.push({ name: `after ${count} turns of the event loop`, wait: () => repeat(count, turn) });
  if (durationMs < SHORTEST_TIMED_CALL_MS) return points;
  for (const share of [0.15, 0.4, 0.7, 0.95])
    points.push({
      name: `after ${Math.round(share * 100)} % of the time that it takes`,
      wait: async (settled) => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const time = new Promise((resolve) => (timer = setTimeout(resolve, durationMs * share)));
        await Promise.race([time, settled]);
        clearTimeout(timer);
      },
    });
  return points;
}

export interface AbortedCall<Result> {
  readonly what: string;
  readonly point: AbortPoint;
  readonly limits: KitLimits;
  /** How long the call takes when nobody aborts it. */
  readonly durationMs: number;
  /** Whether it may complete what it has begun, however long that takes within `abortMs`. */
  readonly mayGoThrough: boolean;
  readonly call: (signal: AbortSignal) => Promise<Result>;
}

/**
 * Aborts a call at a point.
 *
 * It may have been done by then, or as good as done: it is given one turn of the event loop, and later in its course
 * a moment to finish its last step. Otherwise it must reject with the signal's reason.
 *
 * @returns what it resolved with, or `undefined` where it gave up as it must
 */
export async function abortAt<Result>(of: AbortedCall<Result>): Promise<{ value: Result } | undefined> {
  const { point, limits } = of;
  const what = `${of.what}, aborted ${point.name},`;
  const controller = new AbortController();
  const reason = new Error('given up');
  let settledAt: number | undefined;
  const outcome = (async () => of.call(controller.signal))().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  void outcome.then(() => (settledAt = performance.now()));
  await point.wait(outcome);
  const wasOver = settledAt !== undefined;
  const abortedAt = performance.now();
  controller.abort(reason);
  await turn();
  const overAtOnce = settledAt !== undefined;
  const result = await bounded(`${what} must settle; it`, limits.abortMs, () => outcome);
  if ('error' in result) {
    if (result.error === reason) return undefined;
    throw failure(
      wasOver
        ? `${of.what} must succeed; it rejected with ${inWords(result.error)}`
        : `${what} must reject with the signal's reason; it rejected with ${inWords(result.error)}`,
      result.error,
    );
  }
  const wentOnMs = Math.round((settledAt ?? performance.now()) - abortedAt);
  const tolerated = point.name === 'at once' ? 0 : Math.max(limits.noticeMs, of.durationMs / 4);
  if (!of.mayGoThrough && !overAtOnce && wentOnMs > tolerated)
    throw failure(`${what} must reject with the signal's reason; it went on for ${wentOnMs} ms and resolved`);
  return result;
}
