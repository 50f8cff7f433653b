/** The control plane's name for it; by https with a prefix that says so. */
const NAME = /^(?:__Host-|__Secure-)?streamspace_refresh$/;
const SENT_TO = 'api/v1/auth/';

/**
 * The refresh cookie where nobody else keeps it. Node's `fetch` shows `Set-Cookie` and keeps no cookies; a browser keeps
 * them and hides the header, so there this holds nothing.
 */
export class RefreshCookie {
  #held: { readonly name: string; readonly value: string } | undefined;

  /** Adds the cookie to a request that goes where the cookie belongs. */
  addTo(headers: Headers, path: string): void {
    if (this.#held && path.startsWith(SENT_TO))
      headers.set('cookie', `${this.#held.name}=${this.#held.value}`);
  }

  /** Takes a new value, or the removal, from an answer. */
  take(headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      const name = pair.slice(0, Math.max(at, 0)).trim();
      if (!NAME.test(name)) continue;
      const value = pair.slice(at + 1).trim();
      if (value !== '' && !attributes.some(removes)) this.#held = { name, value };
      // The removal of another name is that of an earlier version's cookie.
      else if (this.#held?.name === name) this.#held = undefined;
    }
  }
}

function removes(attribute: string): boolean {
  const [name = '', value = ''] = attribute.split('=').map((part) => part.trim());
  if (name.toLowerCase() === 'max-age') return Number(value) <= 0;
  if (name.toLowerCase() === 'expires') return Date.parse(value) <= Date.now();
  return false;
}
