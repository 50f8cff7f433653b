// Read by Nodes that are too old for everything else: no imports, and no syntax younger than ES2015.

/** The oldest Node that StreamSpace runs on. */
export const OLDEST_NODE = '20.19';

/** Ends the process with one line when this Node is older than {@link OLDEST_NODE}. */
export function refuseOldNode() {
  const oldest = OLDEST_NODE.split('.').map(Number);
  const own = process.versions.node.split('.').map(Number);
  if (own[0] > oldest[0] || (own[0] === oldest[0] && own[1] >= oldest[1])) return;
  console.error(
    'StreamSpace needs Node ' +
      OLDEST_NODE +
      ' or later; this is v' +
      process.versions.node +
      ' (' +
      process.execPath +
      '). Install a newer Node, or put one first in PATH.',
  );
  process.exit(1);
}
