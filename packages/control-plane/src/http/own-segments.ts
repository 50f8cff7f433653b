/** First segments of paths below the mount that StreamSpace serves: its API, its probes and the files of its page. */
export const OWN_SEGMENTS: ReadonlySet<string> = new Set([
  'api',
  'assets',
  'health',
  'metrics',
  'ready',
  'vnc',
]);
