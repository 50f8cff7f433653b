import { z } from 'zod';

/** What `invalid_field` says of a field: what is allowed, and whether the value may be shown. */
export interface FieldNote {
  /** Completes "`<field>` must be …"; without it the text follows from the schema. */
  readonly expected?: string;
  /** The value is a secret: an error must not show it. */
  readonly secret?: true;
  [key: string]: unknown;
}

export const empty = z.object({});

/** A string of `min` to `max` UTF-16 units. */
export const text = (max: number, min = 1) => z.string().min(min).max(max);

/** A string that an error must not show. */
export const secret = (max: number, min = 1) => text(max, min).meta({ secret: true } satisfies FieldNote);

/** A field that may be left out or be `null`. */
export const optional = <T extends z.ZodType>(schema: T) => schema.nullable().optional();

export const timestamp = z.iso.datetime();

/** A label as in RFC 1123. */
export const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
  .meta({
    expected: '1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end',
  } satisfies FieldNote);

/** A session's id in a path. Every string is looked up: one that cannot be an id is answered with 404, as an unknown one. */
export const sessionId = z.string();

const LABELS = 20;
const LABEL = 253;

/** Names with values, for example `{"gpu": "a100"}`. */
export const labels = z
  .record(z.string().max(LABEL), z.string().max(LABEL))
  .refine((value) => Object.keys(value).length <= LABELS)
  .meta({
    expected: `up to ${LABELS} names with strings, each of up to ${LABEL} characters`,
    maxProperties: LABELS,
  } satisfies FieldNote);

const LIMIT = z.int().min(1).max(1_000).optional();

/** A page of a list that goes on at a place that only the server can read. */
export const cursorPage = z.object({
  limit: LIMIT.describe('At most this many entries. Default: 1000.'),
  cursor: text(2_000)
    .optional()
    .describe('From the `Link` header of the page before. Default: the first page.'),
});

/** A page of a list: how many entries, and the id of the entry at which it goes on. */
export const page = <const Cursor extends 'after' | 'before'>(cursor: Cursor) => {
  const shape = {
    limit: LIMIT.describe('At most this many entries. Default: 100.'),
  };
  const at = z
    .int()
    .min(0)
    .optional()
    .describe(
      cursor === 'after' ? 'Entries after the one with this id.' : 'Entries before the one with this id.',
    );
  return z.object({ ...shape, [cursor]: at } as typeof shape & Record<Cursor, typeof at>);
};
