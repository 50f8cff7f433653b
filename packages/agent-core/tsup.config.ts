import { cp } from 'node:fs/promises';
import { packageBuild } from '../../tsup.base.js';

const build: ReturnType<typeof packageBuild> = {
  ...packageBuild(),
  /** A platform to start from is in the package: the example, as it is tested here. */
  onSuccess: () => cp('../../examples/custom-platform', 'dist/starter', { recursive: true }),
};
export default build;
