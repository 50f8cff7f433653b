import { errorFromAnswer, unexpectedAnswer, unreachable } from './errors.js';
import { RefreshCookie } from './refresh-cookie.js';
import type { ResolvedClientOptions } from './options.js';

/** One request to the API. */
export interface Call {
  readonly method: 'GET' | 'POST';
  /** Under the base address, without a leading slash. */
  readonly path: string;
  readonly body?: unknown;
  readonly token?: string | undefined;
  readonly loginSecret?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer's JSON, and the server's clock when it was sent (milliseconds; `undefined` where not told). */
export interface Answer {
  readonly body: unknown;
  /** The `cursor` of the next page of a list; `undefined` on the last page. */
  readonly nextCursor: string | undefined;
  readonly serverTime: number | undefined;
}

/** Sends one request and reads its whole answer within the time limit. Knows nothing of logins. */
export class Transport {
  readonly #options: ResolvedClientOptions;
  readonly #cookie = new RefreshCookie();

  constructor(options: ResolvedClientOptions) {
    this.#options = options;
  }

  async send(call: Call): Promise<Answer> {
    const { baseUrl, timeoutMs } = this.#options;
    call.signal?.throwIfAborted();
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(call.signal?.reason);
    call.signal?.addEventListener('abort', onAbort, { once: true });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      stop.abort();
    }, timeoutMs);
    try {
      const response = await this.#fetch(call, stop.signal);
      const text = await response.text();
      if (!response.ok) throw errorFromAnswer(response, text);
      return {
        body: parse(text, response.status, call.path),
        nextCursor: nextCursor(response.headers.get('link')),
        serverTime: serverTime(response),
      };
    } catch (cause) {
      call.signal?.throwIfAborted();
      if (cause instanceof Error && 'code' in cause && 'shouldRetry' in cause) throw cause;
      throw late
        ? unreachable(baseUrl.origin, `nothing within ${timeoutMs} ms`, cause)
        : unreachable(baseUrl.origin, 'the connection could not be made or was cut', cause);
    } finally {
      clearTimeout(timer);
      call.signal?.removeEventListener('abort', onAbort);
    }
  }

  async #fetch(call: Call, signal: AbortSignal): Promise<Response> {
    const headers = new Headers({ accept: 'application/json' });
    if (call.token) headers.set('authorization', `Bearer ${call.token}`);
    if (call.loginSecret !== undefined) headers.set('x-streamspace-login', call.loginSecret);
    if (call.body !== undefined) headers.set('content-type', 'application/json');
    this.#cookie.addTo(headers, call.path);
    const response = await this.#options.fetch(new URL(call.path, this.#options.baseUrl), {
      method: call.method,
      headers,
      signal,
      credentials: 'same-origin',
      redirect: 'error',
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    });
    this.#cookie.take(response.headers);
    return response;
  }
}

function parse(text: string, status: number, path: string): unknown {
  if (status === 204) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unexpectedAnswer(status, path, cause);
  }
}

const NEXT_LINK = /<([^>]*)>\s*;\s*rel="?next"?/i;

/** Of a `Link` header (RFC 8288). Only the cursor counts: a token must not go to whatever address a header names. */
function nextCursor(link: string | null): string | undefined {
  const [, target] = NEXT_LINK.exec(link ?? '') ?? [];
  if (target === undefined || !URL.canParse(target, 'http://localhost')) return undefined;
  return new URL(target, 'http://localhost').searchParams.get('cursor') ?? undefined;
}

function serverTime(response: Response): number | undefined {
  const at = Date.parse(response.headers.get('date') ?? '');
  return Number.isNaN(at) ? undefined : at;
}
