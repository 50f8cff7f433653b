// What `npm start` does before the control plane's own code can be loaded: that is TypeScript, and may have to be
// installed first. Afterwards the same process is the control plane, so that there is one to stop and none to forget.
import { checkDataFolder, checkPort, readPlace } from '../../apps/control-plane/src/early/place.mjs';
import { ensureInstalled, isInstalled } from '../bootstrap.mjs';
import { ensureWebBuilt } from '../web-build.mjs';
import { watchParent } from './parent.mjs';

/** Exit codes: 0 after a stop that was asked for, 1 after an error, 130 after a second Ctrl-C. */
export async function main() {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const name of signals) process.on(name, onSignal);
  watchParent();
  try {
    await prepare(stop.signal);
    const tsx = await import('tsx/esm/api');
    tsx.register();
    // While the control plane's code is read there is nothing to close. Once it runs, it puts its own in their place.
    for (const name of signals) {
      process.removeListener(name, onSignal);
      process.on(name, () => process.exit(0));
    }
    stop.signal.throwIfAborted();
  } catch (error) {
    if (stop.signal.aborted) process.exit(0);
    // Errors that a person can mend are one line; anything else is a defect, and its stack is wanted.
    const known = ['BootstrapError', 'ConfigError', 'LockHeldError', 'LockLostError'].includes(error.name);
    console.error(known ? `ERROR: ${error.message}` : error);
    process.exit(1);
  }
  await import('../../apps/control-plane/src/main.ts');
}

async function prepare(signal) {
  const place = readPlace(process.env, process.cwd());
  if (!isInstalled()) {
    // Otherwise the control plane finds these out itself, and knows more: who holds the data folder, for example.
    if (!process.env.DB_HOST) checkDataFolder(place.dataFolder);
    await checkPort(place);
  }
  await ensureInstalled({ signal });
  await ensureWebBuilt({ signal });
}
