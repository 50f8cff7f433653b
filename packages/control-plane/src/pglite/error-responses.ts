/** What an ErrorResponse of PostgreSQL says, as far as it is needed here. */
export interface ErrorResponse {
  /** `ERROR`, `FATAL` or `PANIC`, never translated. */
  readonly severity: string;
  readonly message: string;
}

/** Type byte and length of a message. */
const HEADER_BYTES = 5;
const ERROR_RESPONSE = 'E'.charCodeAt(0);
/** Longest part of one ErrorResponse that is kept, in bytes. Severity and message come first in it. */
const KEPT_BYTES = 64 * 1024;

/**
 * Finds the ErrorResponses in the bytes that PostgreSQL sends, however they are cut into chunks. Everything else is
 * skipped.
 *
 * Source: PostgreSQL, "Message Formats": type (1 byte), length with itself (4 bytes), then for `E` fields of a type byte
 * and a text that ends with NUL, and one NUL after the last field.
 */
export class ErrorResponses {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes of the present message's body that have not come yet. */
  #missing = 0;
  /** The present message's body, when it is an ErrorResponse. */
  #body: Uint8Array[] | undefined;
  #keptBytes = 0;

  /** Returns the ErrorResponses that end in this chunk. */
  read(chunk: Uint8Array): ErrorResponse[] {
    const found: ErrorResponse[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerBytes < HEADER_BYTES) {
        const part = chunk.subarray(at, at + HEADER_BYTES - this.#headerBytes);
        this.#header.set(part, this.#headerBytes);
        this.#headerBytes += part.length;
        at += part.length;
        if (this.#headerBytes < HEADER_BYTES) break;
        this.#missing = Math.max(0, new DataView(this.#header.buffer).getUint32(1) - 4);
        this.#body = this.#header[0] === ERROR_RESPONSE ? [] : undefined;
        this.#keptBytes = 0;
      } else {
        const part = chunk.subarray(at, at + this.#missing);
        this.#keep(part);
        this.#missing -= part.length;
        at += part.length;
      }
      if (this.#missing > 0) continue;
      if (this.#body) found.push(parse(this.#body));
      this.#body = undefined;
      this.#headerBytes = 0;
    }
    return found;
  }

  #keep(part: Uint8Array): void {
    if (!this.#body) return;
    const kept = part.slice(0, KEPT_BYTES - this.#keptBytes);
    this.#keptBytes += kept.length;
    if (kept.length > 0) this.#body.push(kept);
  }
}

function parse(parts: readonly Uint8Array[]): ErrorResponse {
  const fields = new Map<string, string>();
  for (const field of Buffer.concat(parts).toString('utf8').split('\0'))
    if (field !== '') fields.set(field.charAt(0), field.slice(1));
  // `V` is `S` before translation; servers since 9.6 send both.
  return {
    severity: fields.get('V') ?? fields.get('S') ?? '',
    message: fields.get('M') ?? '',
  };
}
