import { isDatabaseError } from './database-error.js';

/** How often a transaction is tried that lost against another one. */
const ATTEMPTS = 4;

/** Runs a transaction again when the server rolled it back in favour of another (deadlock, serialization failure). */
export async function retryConflicts<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction();
    } catch (error) {
      if (attempt >= ATTEMPTS || !isDatabaseError(error) || error.code !== 'conflict') throw error;
    }
  }
}
