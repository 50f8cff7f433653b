const CHUNK = 8192;

/** RFB's clipboard and names are ISO 8859-1: each byte is a code point. */
export function decodeLatin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return text;
}

/** What is outside ISO 8859-1 becomes a question mark. */
export function encodeLatin1(text: string): Uint8Array {
  const points = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  return Uint8Array.from(points, (point) => (point < 256 ? point : 0x3f));
}
