import type { Certificate } from './certificate.js';

/** What a reverse proxy in front of the control plane is configured for. */
export interface ReverseProxyOptions {
  /** Port of loopback that it listens on. */
  readonly port: number;
  /** Port of loopback that the control plane listens on. */
  readonly upstreamPort: number;
  /** Path that the control plane is published under, without a slash at its end; `''` is the root. */
  readonly prefix: string;
  /** Whether the proxy removes the prefix from the paths that it passes on. */
  readonly prefixIs: 'stripped' | 'passed on';
  /** With it the proxy speaks HTTPS (HTTP/2 and HTTP/1.1), without it HTTP. */
  readonly certificate?: Certificate;
}
