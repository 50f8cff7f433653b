import type { BrokenDriver } from './kit-broken.js';

const APART = 'keeps each session from the home and the ports of another, where it declares isolated';

/** Says that sessions are isolated, and shares something among them. */
export const brokenInIsolation: readonly BrokenDriver[] = (['home', 'port'] as const).map((kind) => ({
  fault: `declares isolated and lets a session reach the ${kind} of another`,
  failsIn: APART,
  because: new RegExp(
    `declares isolated, and a session reaches what belongs to another: ${kind} kit-[0-9a-f]{8}$`,
  ),
  driver: (sound, host) => {
    host.shares.add(kind);
    return sound;
  },
}));
