import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';

/** `FamilyWild` of Xau: whatever the address and the number of the display. */
const ANY_ADDRESS = 0xffff;
const COOKIE_BYTES = 16;
export const COOKIE_NAME = 'MIT-MAGIC-COOKIE-1';

/** Writes an X authority file with a new cookie, and resolves with that. The X server refuses every client that does not have it. */
export async function writeAuthority(path: string): Promise<Uint8Array> {
  const cookie = randomBytes(COOKIE_BYTES);
  const fields = ['', '', COOKIE_NAME, cookie].map((field) => Buffer.from(field));
  const entry = [word(ANY_ADDRESS), ...fields.flatMap((field) => [word(field.length), field])];
  // Made anew, so that no link leads it elsewhere.
  await rm(path, { force: true });
  await writeFile(path, Buffer.concat(entry), { mode: 0o600, flag: 'wx' });
  return cookie;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
