import { mkdir, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { PlatformError } from '@streamspace/agent-core';

const WRITABLE_BY_OTHERS = 0o022;

/**
 * Makes a folder for this user alone, or takes one that nobody else can put anything into.
 *
 * @throws PlatformError `platform_unavailable`
 */
export async function ownFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { uid, mode } = await stat(path);
  const mine = userInfo().uid;
  if (uid === mine && (mode & WRITABLE_BY_OTHERS) === 0) return;
  const is = uid === mine ? `has mode ${(mode & 0o777).toString(8)}` : `belongs to user ${uid}`;
  throw new PlatformError(
    'platform_unavailable',
    `${path} ${is}; allowed is a folder of user ${mine} that no other can write to`,
  );
}
