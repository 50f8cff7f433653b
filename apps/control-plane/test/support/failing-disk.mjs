// A module to preload (`--import`): once the file $FAIL_WHEN exists, the database's calls of $FAIL_OPERATION
// (writeSync or fsyncSync) fail with $FAIL_CODE.
import fs, { existsSync, readlinkSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const { FAIL_WHEN, FAIL_OPERATION, FAIL_CODE } = process.env;
if (isMainThread && FAIL_WHEN && FAIL_OPERATION && FAIL_CODE) {
  const original = fs[FAIL_OPERATION];
  fs[FAIL_OPERATION] = (fd, ...rest) => {
    if (existsSync(FAIL_WHEN) && readlinkSync(`/proc/self/fd/${fd}`).includes('/pg_wal/'))
      throw Object.assign(new Error(`${FAIL_CODE}: injected`), { code: FAIL_CODE, syscall: FAIL_OPERATION });
    return original(fd, ...rest);
  };
  syncBuiltinESMExports();
}
