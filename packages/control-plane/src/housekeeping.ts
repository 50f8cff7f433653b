/** How often rows that nobody can use any more are deleted, in ms. */
const INTERVAL_MS = 60_000;

/** Deletes what has expired, now and then. Returns how to stop; resolves when nothing is under way any more. */
export function keepHouse(
  tasks: readonly (() => Promise<void>)[],
  onError: (error: unknown, where: string) => void,
): () => Promise<void> {
  let underWay: Promise<void> | undefined;
  const round = async (): Promise<void> => {
    for (const task of tasks) {
      try {
        await task();
      } catch (error) {
        onError(error, 'deleting what has expired');
      }
    }
    underWay = undefined;
  };
  const timer = setInterval(() => {
    underWay ??= round();
  }, INTERVAL_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await underWay;
  };
}
