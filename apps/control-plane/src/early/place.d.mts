export class ConfigError extends Error {
  constructor(variable: string, value: string | number, problem: string);
  readonly code: 'config_invalid';
  readonly variable: string;
}

export interface Place {
  readonly host: string;
  readonly port: number;
  /** Absolute. */
  readonly dataFolder: string;
}

/** @throws ConfigError */
export function readPlace(env: Readonly<Record<string, string | undefined>>, folder: string): Place;
/** @throws ConfigError */
export function checkDataFolder(dataFolder: string): void;
/** Returns a ConfigError for what a person can mend, and the error itself otherwise. */
export function listenError(error: NodeJS.ErrnoException, place: { host: string; port: number }): Error;
/** @throws ConfigError */
export function checkPort(place: { host: string; port: number }): Promise<void>;
