import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireProgram, startInForeground, type Foreground } from './foreground.js';
import type { ReverseProxyOptions } from './reverse-proxy.js';

export interface NginxOptions extends ReverseProxyOptions {
  /**
   * `defaults` is a configuration with nothing but `proxy_pass`: the Host is the upstream's name, no address or scheme
   * of the client is told, and WebSockets do not pass. @default complete
   */
  readonly headers?: 'complete' | 'defaults';
  /** Name of an `upstream` block. Without it `proxy_pass` names the address. */
  readonly upstreamName?: string;
}

export const requireNginx = (): string | undefined => requireProgram('nginx', 'nginx-light');

/** Starts nginx as one process on loopback; disposing it stops it. */
export function startNginx(program: string, options: NginxOptions): Promise<Foreground> {
  return startInForeground({
    program,
    port: options.port,
    configure: async (folder) => {
      await writeFile(join(folder, 'nginx.conf'), configuration(folder, options));
      return ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'];
    },
  });
}

const COMPLETE = [
  'proxy_http_version 1.1;',
  'proxy_set_header Host $http_host;',
  'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
  'proxy_set_header X-Forwarded-Proto $scheme;',
  'proxy_set_header Upgrade $http_upgrade;',
  'proxy_set_header Connection $connection_upgrade;',
];

function configuration(folder: string, options: NginxOptions): string {
  const { port, upstreamPort, prefix, prefixIs, certificate, headers = 'complete', upstreamName } = options;
  const address = `127.0.0.1:${upstreamPort}`;
  const upstream = upstreamName === undefined ? '' : `upstream ${upstreamName} { server ${address}; }`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  const tls = certificate && [
    `ssl_certificate ${certificate.certificateFile};`,
    `ssl_certificate_key ${certificate.keyFile};`,
  ];
  return `
daemon off;
master_process off;
pid ${join(folder, 'pid')};
error_log stderr warn;
events {}
http {
  access_log off;
  ${temporary.join('\n  ')}
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  ${upstream}
  server {
    listen 127.0.0.1:${port}${certificate ? ' ssl http2' : ''};
    ${(tls ?? []).join('\n    ')}
    location ${prefix}/ {
      proxy_pass http://${upstreamName ?? address}${prefixIs === 'stripped' ? '/' : ''};
      ${(headers === 'complete' ? COMPLETE : []).join('\n      ')}
      proxy_read_timeout 1h;
    }
  }
}
`;
}
