/**
 * Says that a program is not there, and how to have it: aloud on any run, as a failure on a strict one
 * (`STREAMSPACE_TEST_STRICT=1`). What needs the program is left out then.
 */
export function missing(what: string, ...packages: string[]): undefined {
  const hint = `${what} is not installed; on Debian: apt-get install ${packages.join(' ')}`;
  if (process.env['STREAMSPACE_TEST_STRICT'] === '1') throw new Error(hint);
  process.stderr.write(`SKIPPED: ${hint}\n`);
  return undefined;
}
