import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireProgram, startInForeground, type Foreground } from './foreground.js';
import type { ReverseProxyOptions } from './reverse-proxy.js';

export const requireHaproxy = (): string | undefined => requireProgram('haproxy', 'haproxy');

/** Starts HAProxy in the foreground on loopback; disposing it stops it. */
export function startHaproxy(program: string, options: ReverseProxyOptions): Promise<Foreground> {
  return startInForeground({
    program,
    port: options.port,
    configure: async (folder) => {
      const file = join(folder, 'haproxy.cfg');
      await writeFile(file, configuration(options));
      return ['-db', '-f', file];
    },
  });
}

function configuration({ port, upstreamPort, prefix, prefixIs, certificate }: ReverseProxyOptions): string {
  const tls = certificate ? ` ssl crt ${certificate.bothFile} alpn h2,http/1.1` : '';
  const paths = [
    ...(prefix === '' ? [] : [`http-request deny deny_status 404 unless { path_beg ${prefix}/ }`]),
    ...(prefix === '' || prefixIs === 'passed on' ? [] : [`http-request replace-path ${prefix}/(.*) /\\1`]),
  ];
  return `
global
  maxconn 200
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend public
  bind 127.0.0.1:${port}${tls}
  option forwardfor
  http-request set-header X-Forwarded-Proto ${certificate ? 'https' : 'http'}
  ${paths.join('\n  ')}
  default_backend control-plane
backend control-plane
  server one 127.0.0.1:${upstreamPort}
`;
}
