import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** What a file's doc comment publishes as the default of an option, in milliseconds. */
function published(file: string, option: string): number {
  const pattern = new RegExp(`@default ([\\d_]+)\\s+\\*/\\s+(?:readonly )?${option}\\?:`);
  const value = pattern.exec(readFileSync(file, 'utf8'))?.[1];
  if (value === undefined) throw new Error(`${file} publishes no default of ${option}.`);
  return Number(value.replaceAll('_', ''));
}

it('a viewer waits longer than a control plane and its agent may take to say what is wrong', () => {
  const session = published('packages/control-plane/src/control-plane.ts', 'viewerWaitMs');
  const open = published('packages/hub/src/hub.ts', 'openTimeoutMs');
  const viewer = published('packages/viewer/src/options.ts', 'connectTimeoutMs');
  expect(viewer).toBeGreaterThan(session + open);
});
