/**
 * - `invalid_option`: an option of `createControlPlane` has a value that is not allowed.
 * - `closed`: the control plane was disposed.
 * - `pod_name_in_use`: another running replica has the pod name.
 */
export type ControlPlaneErrorCode = 'invalid_option' | 'closed' | 'pod_name_in_use';

/** Thrown by {@link createControlPlane} and by what it returns. Recognise it by `code`, not by `instanceof`. */
export class ControlPlaneError extends Error {
  override readonly name = 'ControlPlaneError';
  /** The same call fails again until somebody changes something. */
  readonly shouldRetry = false;
  /** With `pod_name_in_use`: when the replica that has the name was started. */
  readonly heldSince: Date | undefined;

  constructor(
    readonly code: ControlPlaneErrorCode,
    message: string,
    options: { cause?: unknown; heldSince?: Date } = {},
  ) {
    super(message, options);
    this.heldSince = options.heldSince;
  }
}
