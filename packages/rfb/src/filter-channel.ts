import type { RfbChannel } from './channel.js';
import type { RfbPolicyFilter } from './policy-filter.js';

/** A channel that says when it is over, as a byte channel of the tunnel does. */
export interface ClosingChannel extends RfbChannel {
  readonly closed: Promise<Error | undefined>;
}

/**
 * A VNC server's channel as a viewer may have it: what is written to it passes the filter on its way to the server, and
 * what is read has passed it on its way back. What the filter refuses aborts the channel, and is what the call rejects
 * with.
 */
export function filterChannel(server: ClosingChannel, filter: RfbPolicyFilter): ClosingChannel {
  const checked = (check: () => Uint8Array): Uint8Array => {
    try {
      return check();
    } catch (error) {
      server.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  };
  return {
    async read() {
      for (let bytes = await server.read(); bytes; bytes = await server.read()) {
        const received = bytes;
        const passed = checked(() => filter.fromServer(received));
        if (passed.length > 0) return passed;
      }
      return null;
    },
    async write(bytes) {
      const passed = checked(() => filter.fromClient(bytes));
      if (passed.length > 0) await server.write(passed);
    },
    end: () => server.end(),
    abort: (reason) => server.abort(reason),
    closed: server.closed,
  };
}
