import { freePort } from '../../servers/free-port.js';
import type { Certificate } from '../../servers/certificate.js';
import type { Foreground } from '../../servers/foreground.js';
import type { ReverseProxyOptions } from '../../servers/reverse-proxy.js';
import { startProduct, type Product } from '../../browser/support/product.js';
import { ask, type Answer, type Sent } from './raw-client.js';

/** A name that no resolver knows: the tests say themselves that it is this machine. */
export const HOSTNAME = 'desktops.example';
export const PASSWORD = 'a short sentence is fine';
/** Where the proxies connect from. Clients of the tests come from other addresses of loopback. */
const PROXIES = '127.0.0.1/32';

export interface StageOptions {
  readonly startProxy: (options: ReverseProxyOptions) => Promise<Foreground>;
  readonly prefix: string;
  readonly prefixIs: ReverseProxyOptions['prefixIs'];
  readonly certificate?: Certificate;
  /** Settings beside `PUBLIC_URL` and `TRUST_PROXY`; an empty one takes one of these away. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Folder of a new database that the product begins with a copy of. @default the product makes one */
  readonly database?: string;
}

/** The product behind a reverse proxy. */
export class Stage implements AsyncDisposable {
  readonly product: Product;
  /** As users type it, without a slash at its end. */
  readonly publicUrl: string;
  readonly proxy: Foreground;
  readonly #authority: string | undefined;

  private constructor(product: Product, proxy: Foreground, publicUrl: string, authority: string | undefined) {
    this.product = product;
    this.proxy = proxy;
    this.publicUrl = publicUrl;
    this.#authority = authority;
  }

  static async start(options: StageOptions): Promise<Stage> {
    const { startProxy, certificate, prefix, prefixIs, environment, database } = options;
    const port = await freePort();
    const publicUrl = `${certificate ? 'https' : 'http'}://${HOSTNAME}:${port}${prefix}`;
    const settings = { PUBLIC_URL: publicUrl, TRUST_PROXY: PROXIES, ...environment };
    const product = await startProduct(settings, database);
    try {
      const proxy = await startProxy({
        port,
        prefix,
        prefixIs,
        upstreamPort: product.port,
        ...(certificate && { certificate }),
      });
      return new Stage(product, proxy, publicUrl, certificate?.authority);
    } catch (error) {
      await product[Symbol.asyncDispose]();
      throw error;
    }
  }

  get origin(): string {
    return new URL(this.publicUrl).origin;
  }

  /** The set-up link's token. */
  get token(): string {
    return new URL(this.product.link).searchParams.get('token') ?? '';
  }

  /** One request through the proxy. @param path begins with a slash, below the prefix */
  ask(path: string, { from, ...sent }: Sent & { from?: string } = {}): Promise<Answer> {
    const target = {
      port: this.proxy.port,
      ...(from !== undefined && { from }),
      ...(this.#authority !== undefined && { authority: this.#authority }),
    };
    return ask(target, this.publicUrl + path, sent);
  }

  /** One attempt to log in. */
  logIn(from: string, password = PASSWORD, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const body = { username: 'ada', password };
    return this.ask('/api/v1/auth/login', { method: 'POST', from, headers, body });
  }

  /** What the API answers the administrator. */
  async get(path: string): Promise<unknown> {
    const { token } = JSON.parse((await this.logIn('127.0.0.1')).text) as { token: string };
    const answer = await this.ask(path, { headers: { authorization: `Bearer ${token}` } });
    return JSON.parse(answer.text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.product[Symbol.asyncDispose]();
  }
}
