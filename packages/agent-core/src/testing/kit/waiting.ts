import { AssertionError } from 'node:assert';

/** A failure of the platform under test. */
export function failure(message: string, cause?: unknown): AssertionError {
  const error = new AssertionError({ message });
  if (cause !== undefined) error.cause = cause;
  return error;
}

/** An error in words: its code where it has one, and its message. */
export function inWords(error: unknown): string {
  if (!(error instanceof Error)) return `${typeof error} ${String(error)}`;
  const code = (error as { code?: unknown }).code;
  return `${typeof code === 'string' ? `${code}: ` : ''}${error.message}`;
}

/**
 * Waits for `work`, but not longer than `ms`; then it aborts the signal that `work` was given.
 *
 * @throws AssertionError that names `what`, past the limit
 */
export async function bounded<Result>(
  what: string,
  ms: number,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = failure(`${what} did not settle within ${ms} ms`);
      controller.abort(error);
      reject(error);
    }, ms);
  });
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until `condition` holds. @throws AssertionError with `message()`, past the limit */
export async function eventually(
  ms: number,
  condition: () => Promise<boolean>,
  message: () => string,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw failure(`${message()} (waited ${ms} ms)`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const POLL_MS = 10;

/** One turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
