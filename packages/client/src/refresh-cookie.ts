/** By https the name has a prefix (draft-ietf-httpbis-rfc6265bis section 4.1.3). */
const NAME = /^(?:__Host-|__Secure-)?streamspace_refresh$/;
const SENT_TO = 'api/v1/auth/';

/**
 * The refresh cookie where nobody else keeps it. Node's `fetch` shows `Set-Cookie` and keeps no cookies; a browser keeps
 * them and hides the header, so there this holds nothing.
 */
export class RefreshCookie {
  #pair: { readonly name: string; readonly value: string } | undefined;

  /** Adds the cookie to a request that goes where the cookie belongs. */
  addTo(headers: Headers, path: string): void {
    if (this.#pair && path.startsWith(SENT_TO))
      headers.set('cookie', `${this.#pair.name}=${this.#pair.value}`);
  }

  /** Takes a new value, or the removal, from an answer. */
  take(headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      const name = pair.slice(0, at).trim();
      if (at < 0 || !NAME.test(name)) continue;
      const value = pair.slice(at + 1).trim();
      if (value !== '' && !attributes.some(removes)) this.#pair = { name, value };
      else if (this.#pair?.name === name) this.#pair = undefined;
    }
  }
}

function removes(attribute: string): boolean {
  const [name = '', value = ''] = attribute.split('=').map((part) => part.trim());
  if (name.toLowerCase() === 'max-age') return Number(value) <= 0;
  if (name.toLowerCase() === 'expires') return Date.parse(value) <= Date.now();
  return false;
}
