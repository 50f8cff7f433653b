/** How often the parent is looked for, in ms. */
const POLL_MS = 200;

/**
 * Sends this process SIGTERM once npm, which started it, is gone. A terminal or a service manager stops npm and this
 * process together, but an npm that was killed with -9 cannot pass anything on, and nobody would stop the rest.
 */
export function watchParent() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, POLL_MS);
  timer.unref();
}
