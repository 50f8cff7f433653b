import { Closing } from './closing.js';
import { readConfig, type Config } from './config.js';
import { ConfigError } from './early/place.mjs';
import { Failure } from './failure.js';
import { createLog, describeError } from './log.js';
import { startServer } from './server.js';

/** Ctrl-C reaches this process twice at once: from the terminal, and from npm. Later than this it was pressed again. */
const SAME_KEYPRESS_MS = 500;

/** Ends with 0 after a stop that was requested, 1 after an error or a failure, 130 after a second Ctrl-C. */
async function main(config: Config): Promise<number> {
  const log = createLog(config.logLevel, (line) => process.stdout.write(line));
  const closing = new Closing(log);
  const stop = new AbortController();
  const failure = new Failure();
  /** When the stop began. */
  let firstAt = 0;
  failure.signal.addEventListener('abort', () => {
    process.stderr.write(`ERROR: ${failure.sentence}\n`);
    firstAt = performance.now();
    stop.abort();
  });
  const stopped = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // `npm start` had its own for as long as there was nothing to close.
    process.removeAllListeners(name).on(name, () => {
      if (!stop.signal.aborted) {
        firstAt = performance.now();
        log.info(`Stopping (${name})`);
        stop.abort();
      } else if (name === 'SIGINT' && performance.now() - firstAt > SAME_KEYPRESS_MS) process.exit(130);
    });
  }
  try {
    const url = await startServer({ config, log, closing, stop: stop.signal, fail: failure.report });
    process.stdout.write(`Open this: ${url}\n`);
    await stopped;
  } catch (error) {
    if (!stop.signal.aborted) {
      process.stderr.write(`ERROR: ${error instanceof ConfigError ? error.message : describeError(error)}\n`);
      await closing.close();
      return 1;
    }
  }
  const clean = await closing.close();
  log.info('Stopped');
  return clean && failure.sentence === undefined ? 0 : 1;
}

// What this process writes is for its own user. Programs of sessions are given a umask of their own.
process.umask(0o077);
try {
  process.exit(await main(readConfig(process.env, process.cwd())));
} catch (error) {
  process.stderr.write(`ERROR: ${error instanceof ConfigError ? error.message : describeError(error)}\n`);
  process.exit(1);
}
