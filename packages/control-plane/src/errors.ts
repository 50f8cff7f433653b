/**
 * - `invalid_option`: an option of `createControlPlane` has a value that is not allowed.
 * - `closed`: the control plane was disposed.
 */
export type ControlPlaneErrorCode = 'invalid_option' | 'closed';

/** Thrown by {@link createControlPlane} and by what it returns. Recognise it by `code`, not by `instanceof`. */
export class ControlPlaneError extends Error {
  override readonly name = 'ControlPlaneError';
  /** The same call fails again until somebody changes something. */
  readonly shouldRetry = false;

  constructor(
    readonly code: ControlPlaneErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
