import { root } from '../bootstrap.mjs';
import { run } from '../child.mjs';

/** What git sees of the checkout beyond its last commit: names, and the content of what it follows. */
export async function fingerprintOfTree() {
  const git = async (...args) => {
    const result = await run('git', ['-C', root, ...args]);
    if (!result.ok) throw new Error(`git ${args[0]} failed: ${result.output}`);
    return result.output;
  };
  const status = await git('status', '--porcelain', '--untracked-files=all');
  return { status, text: status + (status === '' ? '' : await git('diff', 'HEAD', '--stat')) };
}
