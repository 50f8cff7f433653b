/**
 * Ends a process whose watched thread has frozen: writes the sentence, then kills.
 *
 * The write can block for as long as nobody reads the output, and the watched thread may have waited for just that. Where
 * it has beaten meanwhile, the process goes on.
 */
export function endFrozen(beats, { write, kill }) {
  const seen = Atomics.load(beats, 0);
  try {
    write();
  } catch {
    // The output is closed. The process ends without the sentence.
  }
  if (Atomics.load(beats, 0) === seen) kill();
}
