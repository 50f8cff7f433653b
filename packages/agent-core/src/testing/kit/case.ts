import type { PlatformFixture } from '../platform-fixture.js';
import type { Kit } from './kit.js';

/** Chapters of the report, in its order. */
export const CHAPTERS = [
  'Declarations',
  'Lifecycle',
  'Idempotence',
  'Generations',
  'Concurrency',
  'Aborts',
  'Failures',
  'Restart of the agent',
  'Streams',
  'Inventory',
  'Leaks and closing',
] as const;
export type Chapter = (typeof CHAPTERS)[number];

/** What a case can't do without. */
export interface Need {
  /** Why it is skipped; `undefined` where there is nothing to skip. */
  readonly missing: (fixture: PlatformFixture) => string | undefined;
  /** What the platform has to do in its place. */
  readonly instead?: (kit: Kit) => Promise<void>;
}

/** One thing that every platform has to show. */
export interface KitCase {
  readonly chapter: Chapter;
  /** A sentence whose subject is the platform. */
  readonly name: string;
  /** What goes wrong where a platform doesn't. */
  readonly why: string;
  readonly needs?: readonly Need[];
  /** Resolves with why it is skipped, where that is known on the way only. */
  readonly run: (kit: Kit) => Promise<string | void>;
}
