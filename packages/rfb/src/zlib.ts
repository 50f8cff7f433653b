/**
 * One zlib stream (RFC 1950) that compresses, for one connection. This package has none of its own, so that it runs
 * anywhere: `@streamspace/rfb/node` makes them of Node's zlib.
 */
export interface Deflater {
  /**
   * Compresses these bytes and flushes (Z_SYNC_FLUSH): what comes out, after all that came out before, can be inflated
   * to the last byte that went in. `bytes` is the caller's again once this has resolved; called again only then.
   */
  deflate(bytes: Uint8Array): Promise<Uint8Array>;
  /** Frees what it holds. Called once, and last; a `deflate` that is under way may reject. */
  close(): void;
}

/** The other way. */
export interface Inflater {
  /**
   * What these bytes of the stream, up to a flush, become. Rejects with `limit_exceeded` where that is more than `most`
   * bytes, with `bad_message` where it is no zlib stream.
   */
  inflate(bytes: Uint8Array, most: number): Promise<Uint8Array>;
  /** As that of a {@link Deflater}. */
  close(): void;
}
