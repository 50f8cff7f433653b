import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '@streamspace/agent-core';
import { parseRecord, type SessionRecord } from './session-record.js';

/** No session's name begins with a dot. */
const PLATFORM_ID = '.platform-id';
const OWNER = '.owner';

/**
 * The records of a data folder's sessions, `sessions/<id>.json`: each is written beside the old one, forced to disk,
 * and renamed over it. So there is always a whole one; the machine's loss of power may bring an earlier one back, and
 * has ended all processes then.
 *
 * The platform that opened the folder last owns it. One before it finds that out at its next write and changes nothing
 * any more.
 */
export class RecordStore {
  readonly folder: string;
  readonly #onError: (error: unknown, where: string) => void;
  readonly #token = randomUUID();

  constructor(dataFolder: string, onError: (error: unknown, where: string) => void) {
    this.folder = join(dataFolder, 'sessions');
    this.#onError = onError;
  }

  /** Takes the folder over. Resolves with the mark of its processes, which is made once and kept. */
  async open(): Promise<string> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    // A token is of no use to anyone once the machine was off.
    await this.#replace(OWNER, this.#token, false);
    const kept = await readIfThere(join(this.folder, PLATFORM_ID));
    if (kept) return kept;
    const made = randomUUID();
    await this.#replace(PLATFORM_ID, made);
    return made;
  }

  /** All records. One that cannot be understood is set aside as `<id>.json.unreadable` and reported. */
  async read(): Promise<SessionRecord[]> {
    const records: SessionRecord[] = [];
    for (const name of await readdir(this.folder)) {
      const path = join(this.folder, name);
      // What an earlier process was about to write when it died.
      if (name.endsWith('.part')) await rm(path, { force: true });
      if (!name.endsWith('.json')) continue;
      const text = await readFile(path, 'utf8');
      try {
        records.push(parseRecord(text, name.slice(0, -'.json'.length)));
      } catch (cause) {
        await rename(path, `${path}.unreadable`);
        const why = cause instanceof Error ? cause.message : String(cause);
        this.#onError(
          new Error(`${path} cannot be used and was set aside; its session is ended: ${why}`, { cause }),
          'records of sessions',
        );
      }
    }
    return records;
  }

  /** @throws PlatformError `platform_unavailable` where another platform has taken the folder over */
  async write(record: SessionRecord): Promise<void> {
    await this.checkOwner();
    await this.#replace(`${record.spec.sessionId}.json`, JSON.stringify(record));
  }

  async remove(sessionId: string): Promise<void> {
    await this.checkOwner();
    await rm(join(this.folder, `${sessionId}.json`), { force: true });
  }

  async checkOwner(): Promise<void> {
    if ((await readIfThere(join(this.folder, OWNER))) === this.#token) return;
    throw new PlatformError(
      'platform_unavailable',
      `another process has taken over the sessions in ${this.folder}; one agent at a time may use a data folder`,
    );
  }

  async #replace(name: string, text: string, sync = true): Promise<void> {
    const path = join(this.folder, name);
    const part = `${path}.${this.#token}.part`;
    const file = await open(part, 'w', 0o600);
    try {
      await file.writeFile(text);
      if (sync) await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
