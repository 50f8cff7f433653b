/** See the implementation. */
export class BeatWatch {
  readonly lastSeen: string | undefined;
  look(
    holder: { readonly id: string; readonly leaseMs: number },
    beat: string | undefined,
    now?: number,
  ): 'silent' | 'alive' | 'dead';
  saw(beat: string | undefined): boolean;
}

/** See the implementation. */
export function renewBeat(file: string): 'renewed' | 'failed' | 'lost';
