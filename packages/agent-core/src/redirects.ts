/** Where an answer redirects to, without credentials, query and fragment; `undefined` where it is no redirect. */
export function redirectTarget(
  from: string,
  status: number,
  location: string | null | undefined,
): string | undefined {
  if (status < 300 || status > 399) return undefined;
  if (!location || !URL.canParse(location, from)) return 'an unknown address';
  const { origin, protocol, host, pathname } = new URL(location, from);
  return (origin === 'null' ? `${protocol}//${host}` : origin) + pathname;
}

/** Why the agent does not go there, and what to set. */
export const redirected = (what: string, status: number, target: string): string =>
  `the ${what} was redirected (${status}) to ${target}; an agent sends its key only to the configured address. ` +
  'If that address is right, set controlPlaneUrl to it, without the path from /api/v1 on.';
