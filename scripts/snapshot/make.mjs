// The child of scripts/snapshot.mjs: writes a snapshot of a new, migrated database. Arguments: path, temporary folder.
import { rmSync } from 'node:fs';
import { makeSnapshot } from '../../packages/control-plane/src/pglite/make-snapshot.ts';

const [path, temporary] = process.argv.slice(2);
await makeSnapshot(path, temporary);
// A parent that was killed does not remove it.
rmSync(temporary, { recursive: true, force: true });
