// The child of scripts/snapshot.mjs: writes a snapshot of a new, migrated database. Arguments: path, temporary folder, and
// how much lower its priority is than its parent's (0 to 19).
import { rmSync } from 'node:fs';
import { setPriority } from 'node:os';
import { makeSnapshot } from '../../packages/control-plane/src/pglite/make-snapshot.ts';

const [path, temporary, nice] = process.argv.slice(2);
if (Number(nice) > 0) setPriority(Number(nice));
await makeSnapshot(path, temporary);
// A parent that was killed does not remove it.
rmSync(temporary, { recursive: true, force: true });
