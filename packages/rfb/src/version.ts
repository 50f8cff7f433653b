import type { RfbVersion } from './encodings.js';
import { RfbError } from './errors.js';
import { decodeLatin1, encodeLatin1 } from './text.js';

/**
 * Reads the 12 bytes of a ProtocolVersion. 3.7 and 3.8 are themselves; every other 3.x is treated as 3.3, as RFC 6143
 * (section 7.1.1) asks. Throws `version_unsupported` for anything else.
 */
export function readVersion(bytes: Uint8Array): RfbVersion {
  const text = decodeLatin1(bytes);
  const match = /^RFB 003\.(\d{3})\n$/.exec(text);
  if (!match) {
    throw new RfbError(
      'version_unsupported',
      `the greeting is ${JSON.stringify(text)}; allowed is "RFB 003.008\\n" or another version of RFB 3`,
    );
  }
  const minor = Number(match[1]);
  return minor === 7 || minor === 8 ? minor : 3;
}

export function writeVersion(version: RfbVersion): Uint8Array {
  return encodeLatin1(`RFB 003.00${version}\n`);
}
