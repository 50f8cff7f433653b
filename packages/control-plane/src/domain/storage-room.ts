/** Why nothing more may be stored, and what to do about it, in words for clients. */
export interface StorageShortage {
  readonly detail: string;
  readonly remedy: string;
}

/** Tells whether there is room to store; `undefined` means yes. */
export type StorageCheck = () => Promise<StorageShortage | undefined>;

/** The caller's check of free space. One that fails is reported, and counts as room. */
export class StorageRoom {
  readonly #check: StorageCheck;
  readonly #onError: (error: unknown, where: string) => void;

  constructor(check: StorageCheck, onError: (error: unknown, where: string) => void) {
    this.#check = check;
    this.#onError = onError;
  }

  /** Never rejects. */
  async shortage(): Promise<StorageShortage | undefined> {
    try {
      return await this.#check();
    } catch (error) {
      this.#onError(error, 'checking the storage');
      return undefined;
    }
  }
}
