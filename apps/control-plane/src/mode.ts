import type { ControlPlane, ControlPlaneOptions, Database } from '@streamspace/control-plane';
import type { Closing } from './closing.js';
import type { Config } from './config.js';
import type { Log } from './log.js';

/** What every step of the start is given. What a step opens, it adds to `closing` at once. */
export interface Start {
  readonly config: Config;
  readonly log: Log;
  readonly closing: Closing;
  /** Aborts when the process is to stop. */
  readonly stop: AbortSignal;
  /** Ends the process in order, with this sentence and exit code 1. */
  readonly fail: (sentence: string) => void;
}

/** What differs between the embedded mode and the one with a database server. */
export interface Mode {
  readonly database: Database;
  readonly jwtSecret: string;
  /** Tells why nothing more may be stored; absent where that is the database server's to know. */
  readonly storage?: ControlPlaneOptions['storage'];
  /** Starts what else belongs to the mode once the control plane listens; resolves when it is of use. */
  begin(controlPlane: ControlPlane, port: number): Promise<void>;
}
