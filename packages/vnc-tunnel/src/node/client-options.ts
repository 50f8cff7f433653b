import { LIMITS } from '@streamspace/protocol';
import type { ClientOptions } from 'ws';

/** UTF-8 takes at most three bytes for a UTF-16 code unit, and a frame is smaller than a control message. */
const MAX_PAYLOAD_BYTES = LIMITS.controlMessageChars * 3;

/**
 * Options for the `ws` client of an agent or a peer: no permessage-deflate (RFB is compressed already), a bound on
 * messages, and a mask of zero where that is safe.
 *
 * Masking (RFC 6455 section 5.3) keeps scripts in a browser from putting chosen bytes before a proxy that mistakes
 * them for HTTP. Under TLS, and on loopback, no such proxy sees the bytes, and masking is the dearest step of a stream.
 */
export function clientOptions(url: string | URL): ClientOptions {
  const { protocol, hostname } = new URL(url);
  const options: ClientOptions = { perMessageDeflate: false, maxPayload: MAX_PAYLOAD_BYTES };
  if (protocol === 'wss:' || isLoopback(hostname)) options.generateMask = (mask) => void mask.fill(0);
  return options;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
