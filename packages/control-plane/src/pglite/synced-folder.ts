import { fsyncSync } from 'node:fs';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';

/** What of the WebAssembly module's file system is needed here; PGlite does not type it. */
interface HostFiles {
  NODEFS?: { stream_ops?: { fsync?: (stream: { nfd: number }) => number } };
}

/**
 * Start parameters with which the database syncs its log at each commit. PGlite's own switch syncing off (`-F`); and of
 * the methods to sync only `fsync` reaches the host: `fdatasync` does nothing in the module's C library.
 */
export const SYNCED_START_PARAMS: string[] = [
  ...PGlite.defaultStartParams.filter((param) => param !== '-F'),
  '-c',
  'wal_sync_method=fsync',
];

/** A folder of the host whose files are synced to disk when the database asks for it. PGlite's own ignores that. */
export class SyncedFolder extends NodeFS {
  override async init(...args: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(...args);
    const connectSync = (module: HostFiles): void => {
      const operations = module.NODEFS?.stream_ops;
      if (!operations)
        throw new Error('this version of PGlite cannot sync files: NODEFS.stream_ops is missing');
      operations.fsync = (stream) => {
        fsyncSync(stream.nfd);
        return 0;
      };
    };
    const preRun = [...(emscriptenOpts.preRun ?? []), connectSync as (module: unknown) => void];
    return { emscriptenOpts: { ...emscriptenOpts, preRun } };
  }
}
