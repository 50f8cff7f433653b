/** The host to reach a listener by from this machine: a wildcard is no address to connect to. */
export function dialableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** The address to open in a browser. */
export function browserUrl(host: string, port: number, path: string): string {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : dialableHost(host);
  return new URL(path, `http://${name}:${port}`).href;
}
