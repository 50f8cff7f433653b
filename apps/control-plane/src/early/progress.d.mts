import type { EventEmitter } from 'node:events';

export const progress: EventEmitter<{ open: [] }>;
