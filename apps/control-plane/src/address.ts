/** The host to reach a listener by from this machine: a wildcard is no address to connect to. */
export function dialableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** The path of an address, `''` at the root. */
export function pathOf(publicUrl: string | undefined): string {
  return publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '');
}

/**
 * The address to open in a browser.
 *
 * @param path begins with a slash
 * @param publicUrl the address at which people open it, where that is set
 */
export function browserUrl(host: string, port: number, path: string, publicUrl?: string): string {
  if (publicUrl !== undefined) return new URL(`.${path}`, publicUrl.replace(/\/*$/, '/')).href;
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : dialableHost(host);
  return new URL(path, `http://${name}:${port}`).href;
}
