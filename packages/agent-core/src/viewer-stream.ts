import type { OpenRequest } from '@streamspace/protocol';
import { filterChannel, RfbPolicyFilter, type ClosingChannel } from '@streamspace/rfb';
import { TunnelError, type ByteChannel } from '@streamspace/vnc-tunnel';
import { PlatformError } from './errors.js';
import type { LoopTurns } from './loop-turns.js';
import type { Platform } from './platform.js';

/** The port whose bytes are RFB. */
const DESKTOP = 'vnc';
const ROLES: readonly string[] = ['control', 'view'];

export interface ViewerStreamOptions {
  readonly platform: Platform;
  readonly request: OpenRequest;
  readonly signal: AbortSignal;
  /** Where reads and writes wait for their turn of the event loop. */
  readonly turns: LoopTurns;
  /** Somebody types, points or pastes. Called for each chunk that holds such a message. */
  readonly onInput: () => void;
}

/** A stream that was opened, and how many of its viewer's messages were held back so far. */
export interface ViewerStream {
  readonly channel: ByteChannel;
  readonly dropped: () => number;
}

/**
 * Opens a port of a session for a viewer, and holds the viewer to its policy: this is the last place that it passes
 * before the VNC server, which lets everybody do everything. What is no RFB that can be held to it, of either side,
 * ends the channel with TunnelError `protocol_error`.
 *
 * @throws PlatformError `refused` for a policy that cannot be held, and what the platform throws
 */
export async function openViewerStream(options: ViewerStreamOptions): Promise<ViewerStream> {
  const { platform, request, signal, turns, onInput } = options;
  const { sessionId, port, policy } = request;
  if (!ROLES.includes(policy.role))
    throw new PlatformError(
      'refused',
      `role ${policy.role} is not known here; allowed are ${ROLES.join(', ')}`,
    );
  if (port !== DESKTOP) {
    if (policy.role !== 'control')
      throw new PlatformError('refused', `port ${port} takes the role control only; view is for ${DESKTOP}`);
    return { channel: await platform.openStream(sessionId, port, signal), dropped: () => 0 };
  }
  const server = await platform.openStream(sessionId, port, signal);
  const filter = new ViewerFilter(policy);
  return { channel: heldTo(filter, server, turns, onInput), dropped: () => filter.dropped };
}

/** Says what it refuses as the far end of the stream can be told: `protocol_error`, in the filter's words. */
class ViewerFilter extends RfbPolicyFilter {
  override fromClient(bytes: Uint8Array): Uint8Array {
    return told(() => super.fromClient(bytes));
  }

  override fromServer(bytes: Uint8Array): Uint8Array {
    return told(() => super.fromServer(bytes));
  }
}

function told(pass: () => Uint8Array): Uint8Array {
  try {
    return pass();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new TunnelError('protocol_error', detail, { cause: error });
  }
}

/** The server's channel as the viewer may have it. */
function heldTo(
  filter: RfbPolicyFilter,
  server: ByteChannel,
  turns: LoopTurns,
  onInput: () => void,
): ByteChannel {
  const held = filterChannel(server, filter);
  const channel: ByteChannel = {
    async read() {
      await turns.pass();
      return held.read();
    },
    async write(bytes) {
      await turns.pass();
      const before = filter.inputs;
      const written = held.write(bytes);
      if (filter.inputs !== before) onInput();
      return written;
    },
    async end() {
      await turns.pass();
      return held.end();
    },
    abort: (reason) => held.abort(reason),
    closed: held.closed,
  };
  if (!server.borrow) return channel;
  // What the filter lets pass of the server's bytes is those bytes themselves: they can be lent on.
  const lent = filterChannel(lender(server), filter);
  return {
    ...channel,
    async borrow() {
      await turns.pass();
      return lent.read();
    },
  };
}

/** A channel whose reads are borrowed. */
const lender = (channel: ByteChannel): ClosingChannel => ({
  read: () => channel.borrow?.() ?? channel.read(),
  write: (bytes) => channel.write(bytes),
  end: () => channel.end(),
  abort: (reason) => channel.abort(reason),
  closed: channel.closed,
});
