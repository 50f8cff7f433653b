import { Refusal } from '../domain/errors.js';

const LABELS = 20;
const LABEL_CHARS = 253;

/** The fields of a request's body. Each reader throws `invalid_field`, saying which, what it was and what is allowed. */
export class Fields {
  readonly #body: Readonly<Record<string, unknown>>;

  /** @throws Refusal `bad_request` when the body is no object */
  constructor(body: unknown) {
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      throw new Refusal(
        'bad_request',
        'The body must be a JSON object, sent with Content-Type: application/json.',
      );
    this.#body = body as Record<string, unknown>;
  }

  #get(name: string): unknown {
    const value = Object.hasOwn(this.#body, name) ? this.#body[name] : undefined;
    return value === null ? undefined : value;
  }

  text(name: string, limits: { min?: number; max: number; secret?: boolean }): string {
    const value = this.#get(name);
    const min = limits.min ?? 1;
    if (typeof value === 'string' && value.length >= min && value.length <= limits.max) return value;
    throw invalid(name, limits.secret ? undefined : value, `a text of ${min} to ${limits.max} characters`);
  }

  optionalText(name: string, limits: { max: number }): string | undefined {
    return this.#get(name) === undefined ? undefined : this.text(name, limits);
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[], fallback?: T): T {
    const value = this.#get(name) ?? fallback;
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined) throw invalid(name, value, `one of ${allowed.join(', ')}`);
    return found;
  }

  matching(name: string, pattern: RegExp, allowed: string): string {
    const value = this.#get(name);
    if (typeof value !== 'string' || !pattern.test(value)) throw invalid(name, value, allowed);
    return value;
  }

  optionalObject(name: string): Record<string, unknown> | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) throw invalid(name, value, 'an object');
    return value as Record<string, unknown>;
  }

  /** `false` where it is left out. */
  flag(name: string): boolean {
    const value = this.#get(name) ?? false;
    if (typeof value !== 'boolean') throw invalid(name, value, 'true or false');
    return value;
  }

  /** Names with texts, for example `{"gpu": "a100"}`. */
  optionalLabels(name: string): Record<string, string> | undefined {
    const value = this.optionalObject(name);
    if (!value) return undefined;
    const entries = Object.entries(value);
    const isShort = (text: unknown): boolean => typeof text === 'string' && text.length <= LABEL_CHARS;
    if (entries.length > LABELS || !entries.every(([key, text]) => isShort(key) && isShort(text)))
      throw invalid(name, value, `up to ${LABELS} names with texts, each of up to ${LABEL_CHARS} characters`);
    return value as Record<string, string>;
  }

  optionalAmount(name: string, kind: 'whole' | 'any'): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    const ok =
      typeof value === 'number' &&
      value >= 0 &&
      (kind === 'whole' ? Number.isSafeInteger(value) : Number.isFinite(value));
    if (!ok) throw invalid(name, value, kind === 'whole' ? 'a whole number from 0' : 'a number from 0');
    return value;
  }
}

const SHOWN_CHARS = 80;

/** A value of a request, short. Objects and lists can be nested deeper than they can be written. */
function described(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return (JSON.stringify(value) ?? String(value)).slice(0, SHOWN_CHARS);
}

function invalid(name: string, value: unknown, allowed: string): Refusal {
  const was = value === undefined ? '' : `, not ${described(value)}`;
  return new Refusal('invalid_field', `${name} must be ${allowed}${was}.`);
}
