import type { Random } from './random.js';

/** Something that must withstand whatever arrives. */
export interface Target extends AsyncDisposable {
  readonly name: string;
  /** Inputs of one round; each counts as a case. */
  readonly casesPerRound: number;
  /**
   * Feeds the inputs of one round, which depend on nothing but `random`.
   *
   * @param record is called with each input before it is fed
   * @throws what the target did wrong, in words
   */
  round(random: Random, record: (input: Uint8Array | string) => void): void | Promise<void>;
}

/** Throws `message` unless `condition` holds. */
export function must(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Resolves with what `promise` does, or throws after `ms`, naming what was waited for. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
