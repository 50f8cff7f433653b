import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireProgram, startInForeground, type Foreground } from './foreground.js';
import type { ReverseProxyOptions } from './reverse-proxy.js';

export const requireCaddy = (): string | undefined => requireProgram('caddy', 'caddy');

/** Starts Caddy on loopback, without its admin port and without asking for certificates; disposing it stops it. */
export function startCaddy(program: string, options: ReverseProxyOptions): Promise<Foreground> {
  return startInForeground({
    program,
    port: options.port,
    configure: async (folder) => {
      const file = join(folder, 'Caddyfile');
      await writeFile(file, configuration(folder, options));
      return ['run', '--config', file, '--adapter', 'caddyfile'];
    },
  });
}

function configuration(folder: string, options: ReverseProxyOptions): string {
  const { port, upstreamPort, prefix, prefixIs, certificate } = options;
  const handle = prefixIs === 'stripped' && prefix !== '' ? 'handle_path' : 'handle';
  // Port numbers in a Caddyfile's address say nothing of the scheme, and with a certificate it is HTTPS.
  return `
{
  admin off
  auto_https off
  storage file_system ${folder}
  servers {
    protocols h1 h2
  }
}
${certificate ? 'https' : 'http'}://:${port} {
  bind 127.0.0.1
  ${certificate ? `tls ${certificate.certificateFile} ${certificate.keyFile}` : ''}
  ${handle} ${prefix}/* {
    reverse_proxy 127.0.0.1:${upstreamPort}
  }
}
`;
}
