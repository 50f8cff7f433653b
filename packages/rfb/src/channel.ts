/**
 * The byte channel that RFB is spoken over: pull to read, and a write that resolves when more may follow.
 * Structurally that of `@streamspace/vnc-tunnel`, named here so that this package depends on nothing.
 */
export interface RfbChannel {
  /** The next bytes, never empty; `null` once the far end has ended. Rejects when the channel failed. */
  read(): Promise<Uint8Array | null>;
  /** Resolves when more may follow; the chunk is the writer's again then. Rejects when the channel failed. */
  write(bytes: Uint8Array): Promise<void>;
  /** Half-close. Idempotent. */
  end(): Promise<void>;
  /** Ends both directions at once. Idempotent. */
  abort(reason?: Error): void;
}
