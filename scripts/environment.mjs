/** npm settings that say where packages come from and are kept: without them nothing could be installed at all. */
const SOURCES =
  /^npm_config_(registry|.*:registry|cache|userconfig|globalconfig|proxy|https?_proxy|noproxy|cafile|ca|strict_ssl|offline|prefer_offline|fetch_.*|\/\/.*)$/i;

/**
 * The caller's environment without what would change the outcome: `NODE_ENV`, npm's settings of what to install
 * and whether scripts run, and what npm says of the script that it is running.
 */
export function cleanEnvironment(env = process.env) {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => {
      if (name === 'NODE_ENV' || name === 'INIT_CWD') return false;
      if (!/^npm_/i.test(name) || /^npm_execpath$/i.test(name)) return true;
      return SOURCES.test(name);
    }),
  );
}
