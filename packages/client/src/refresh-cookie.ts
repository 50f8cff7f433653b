const NAME = 'streamspace_refresh';
const SENT_TO = 'api/v1/auth/';

/**
 * The refresh cookie where nobody else keeps it. Node's `fetch` shows `Set-Cookie` and keeps no cookies; a browser keeps
 * them and hides the header, so there this holds nothing.
 */
export class RefreshCookie {
  #value: string | undefined;

  /** Adds the cookie to a request that goes where the cookie belongs. */
  addTo(headers: Headers, path: string): void {
    if (this.#value !== undefined && path.startsWith(SENT_TO))
      headers.set('cookie', `${NAME}=${this.#value}`);
  }

  /** Takes a new value, or the removal, from an answer. */
  take(headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      if (at < 0 || pair.slice(0, at).trim() !== NAME) continue;
      const value = pair.slice(at + 1).trim();
      this.#value = value === '' || attributes.some(removes) ? undefined : value;
    }
  }
}

function removes(attribute: string): boolean {
  const [name = '', value = ''] = attribute.split('=').map((part) => part.trim());
  if (name.toLowerCase() === 'max-age') return Number(value) <= 0;
  if (name.toLowerCase() === 'expires') return Date.parse(value) <= Date.now();
  return false;
}
