/** How many builds or checks run at once: as many as there are cores on a small machine. */
const AT_ONCE = 2;

/** Calls `work` with each item, a few at once. */
export async function forEach(items, work) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
