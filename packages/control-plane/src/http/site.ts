import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../domain/errors.js';
import type { ControlPlaneEvent } from '../events.js';
import { clientReader, type ClientOf, type IgnoredHeader, type Trust } from './client-address.js';
import { hostRefusal, SHOWN_CHARS } from './hosts.js';
import { originRefusal } from './origin.js';
import { RecentKeys } from './recent-keys.js';
import type { PublicUrl } from './site-options.js';

export interface ResolvedSite {
  readonly publicUrl: PublicUrl | undefined;
  readonly trust: Trust | undefined;
  /** Lower case, without the host of `publicUrl`. */
  readonly hosts: readonly string[];
  /** Origins of other sites whose pages are as good as ours. */
  readonly allowedOrigins: ReadonlySet<string>;
}

/** 180 days, in s: an installation that gives up TLS is reachable again half a year later. */
const HSTS_SECONDS = 180 * 24 * 3_600;
const LOOPBACK = /^(?:.+\.)?localhost$|^[\d.]+$|^\[/i;

/** Judges requests and upgrades by how the control plane is reached: who sends them, for which host, from which page. */
export class Site {
  /** Who sends a request. The only place that reads the peer and what proxies say of it. */
  readonly clientOf: ClientOf;
  readonly #options: ResolvedSite;
  readonly #names: readonly string[];
  readonly #onEvent: (event: ControlPlaneEvent) => void;
  /** Of their own each, so that invented names of one kind do not silence another. */
  readonly #recent: {
    readonly hosts: RecentKeys;
    readonly origins: RecentKeys;
    readonly upgrades: RecentKeys;
  };
  #hasWarned = false;

  constructor(
    options: ResolvedSite,
    onEvent: (event: ControlPlaneEvent) => void,
    recent: () => RecentKeys = () => new RecentKeys(),
  ) {
    this.#options = options;
    this.#onEvent = onEvent;
    this.#recent = { hosts: recent(), origins: recent(), upgrades: recent() };
    const { publicUrl, hosts, trust } = options;
    this.#names = publicUrl ? [publicUrl.hostname, ...hosts] : hosts;
    this.clientOf = clientReader(trust, (ignored) => this.#warnOnce(ignored));
  }

  /** The path that browsers see: `''` at the root. `undefined` where it is that of each request. */
  get path(): string | undefined {
    return this.#options.publicUrl?.path;
  }

  /** Whether browsers reach this by https, as far as is known. */
  isHttps(request: IncomingMessage): boolean {
    return this.#options.publicUrl?.isHttps ?? this.clientOf(request).scheme === 'https';
  }

  /** The value of Strict-Transport-Security; `undefined` where there is no https, or no name of its own to bind it to. */
  transportSecurity(request: IncomingMessage): string | undefined {
    const name = this.#options.publicUrl?.hostname ?? (request.headers.host ?? '').replace(/:\d*$/, '');
    if (!this.isHttps(request) || name === '' || LOOPBACK.test(name)) return undefined;
    return `max-age=${HSTS_SECONDS}`;
  }

  /**
   * Why a request of that host is not for this server; `undefined` where it is. Tells operators.
   *
   * @param target the request's target as it was sent
   */
  hostRefusal(request: IncomingMessage, target: string): Refusal | undefined {
    const refusal = hostRefusal(request, target, this.#names);
    if (refusal?.code === 'host_not_allowed') {
      const host = (request.headers.host ?? '').slice(0, SHOWN_CHARS);
      const { hosts } = this.#recent;
      if (hosts.isDue(host))
        this.#onEvent({ type: 'host_refused', host, detail: refusal.message, ...unnamedOf(hosts) });
    }
    return refusal;
  }

  /** Why the page that sends a request may not; `undefined` where it may. */
  originRefusal(request: IncomingMessage): Refusal | undefined {
    const { publicUrl, allowedOrigins } = this.#options;
    return originRefusal(request, {
      publicOrigin: publicUrl?.origin,
      allowedOrigins,
      client: this.clientOf(request),
    });
  }

  /** Tells operators of a page that may not use a login. */
  noteOriginRefused(request: IncomingMessage, refusal: Refusal): void {
    const origin = (request.headers.origin ?? 'none').slice(0, SHOWN_CHARS);
    const { origins } = this.#recent;
    if (origins.isDue(origin))
      this.#onEvent({ type: 'origin_refused', origin, detail: sentencesOf(refusal), ...unnamedOf(origins) });
  }

  /**
   * Tells operators of a request to a path of WebSockets that is no upgrade.
   *
   * @param target the request's target; its query may hold a ticket and is not told
   */
  noteUpgradeMissing(endpoint: 'agent' | 'viewer', target: string, refusal: Refusal): void {
    if (!this.#recent.upgrades.isDue(endpoint)) return;
    const path = target.split('?', 1).join('').slice(0, SHOWN_CHARS);
    this.#onEvent({ type: 'upgrade_missing', endpoint, path, detail: sentencesOf(refusal) });
  }

  #warnOnce({ header, peer }: IgnoredHeader): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#onEvent({
      type: 'forwarded_header_ignored',
      header,
      peer,
      isTrustSet: this.#options.trust !== undefined,
    });
  }
}

const sentencesOf = ({ message, remedy = '' }: Refusal): string => `${message} ${remedy}`.trim();

function unnamedOf(recent: RecentKeys): { unnamed?: number } {
  const unnamed = recent.takeUnnamed();
  return unnamed > 0 ? { unnamed } : {};
}
