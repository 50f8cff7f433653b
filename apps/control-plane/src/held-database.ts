import { writeSync } from 'node:fs';
import type { Database, Queryable } from '@streamspace/control-plane';
import type { HeldLock } from './early/lock-folder.mjs';

/** The standard error output. */
const STDERR = 2;

/**
 * A database in a folder that this process has to hold. Each statement first makes sure of that, so that a process that
 * was stopped, and whose folder another process has taken over meanwhile, writes nothing but what was under way. Closing
 * does the same: it would write a checkpoint.
 */
export function heldDatabase(database: Database, lock: HeldLock): Database {
  const held = (handle: Queryable): Queryable => ({
    async query(sql, params) {
      lock.assertHeld();
      return handle.query(sql, params);
    },
    async script(sql, options) {
      lock.assertHeld();
      return handle.script(sql, options);
    },
  });
  return {
    ...held(database),
    async transaction(work) {
      lock.assertHeld();
      return database.transaction((tx) => work(held(tx)));
    },
    async [Symbol.asyncDispose]() {
      lock.assertHeld();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Ends the process at once when the lock is lost, without closing anything: what is in the folder is another's. */
export function endWhenLost(
  lock: HeldLock,
  dataFolder: string,
  end: (code: number) => void = process.exit,
): void {
  const onLost = (): void => {
    const { message } = lock.lost.reason as Error;
    writeSync(
      STDERR,
      `ERROR: STREAMSPACE_DATA_DIR=${dataFolder}: ${message}. This process ends and has changed nothing since; start it again when no other process uses the folder\n`,
    );
    end(1);
  };
  lock.lost.addEventListener('abort', onLost, { once: true });
}
