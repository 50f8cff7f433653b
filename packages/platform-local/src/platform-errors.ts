import { PlatformError } from '@streamspace/agent-core';

/** Failures of the operating system become errors that say that trying again can help. */
export async function orPlatformError<Result>(work: Promise<Result>, what: string): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    throw new PlatformError('platform_unavailable', `${what}: ${cause.message}`, true, { cause });
  }
}

/** The refusal of one more connection to a session: a sentence for whoever wanted it. */
export const tooManyViewers = (most: number): PlatformError =>
  new PlatformError(
    'limit_reached',
    `This desktop has as many viewers as it may (${most}). Close one and try again.`,
    true,
  );
