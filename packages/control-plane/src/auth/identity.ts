import { ROLES, type Role } from '../domain/session.js';

/** A person, in the words of the application that keeps the accounts. */
export interface Identity {
  /** Who keeps the account, for example the URL of an OpenID provider: 1 to 500 characters. */
  readonly issuer: string;
  /** Id of the account. The issuer never reuses it. 1 to 255 characters. */
  readonly subject: string;
  /** Shown to people, and unique without regard to case: 1 to 200 characters, in Unicode form NFC. It may change. */
  readonly username: string;
  readonly role: Role;
}

const LIMITS = { issuer: 500, subject: 255, username: 200 } as const;

/** NUL cannot be stored; line breaks and changes of direction could forge lines of a log. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

/** @throws TypeError naming the field, what is allowed and the value */
export function checkIdentity(given: unknown): Identity {
  if (typeof given !== 'object' || given === null)
    throw new TypeError(`authenticate must return an identity, undefined or null; got ${typeof given}.`);
  const fields = given as Partial<Record<keyof Identity, unknown>>;
  const text = (name: keyof typeof LIMITS): string => {
    const value = fields[name];
    if (
      typeof value === 'string' &&
      value.length > 0 &&
      value.length <= LIMITS[name] &&
      !FORBIDDEN.test(value)
    )
      return value;
    throw new TypeError(
      `${name} of an identity must be a string of 1 to ${LIMITS[name]} characters without control characters, line breaks or changes of text direction; got ${describe(value)}.`,
    );
  };
  const role = ROLES.find((one) => one === fields.role);
  if (!role)
    throw new TypeError(
      `role of an identity must be one of ${ROLES.join(', ')}; got ${describe(fields.role)}.`,
    );
  // Names that look the same are the same.
  const username = text('username').trim().normalize('NFC');
  if (username === '') throw new TypeError('username of an identity must not be blank.');
  return { issuer: text('issuer'), subject: text('subject'), username, role };
}

const describe = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : typeof value;
