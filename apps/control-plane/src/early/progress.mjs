import { EventEmitter } from 'node:events';

/** Emits `open` once people can use the control plane of this process: `npm start` has work that waits until then. */
export const progress = new EventEmitter();
