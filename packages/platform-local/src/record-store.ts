import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pid } from 'node:process';
import { PlatformError } from '@streamspace/agent-core';
import { readPlainIfThere } from './host/plain-file.js';
import { identify, isAlive } from './host/processes.js';
import { parseRecord, type SessionRecord } from './session-record.js';

/** No session's name begins with a dot. */
const PLATFORM_ID = '.platform-id';
const OWNER = '.owner';
/** What a process that lives is about to write is left alone for this long, in ms: it may just be doing it. */
const PART_AGE_MS = 60_000;
/** Nothing is wrong with a file that cannot be read for these reasons. */
const SHORTAGES: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EINTR']);

/**
 * The records of a data folder's sessions, `sessions/<id>.json`: each is written beside the old one, forced to disk,
 * and renamed over it. So there is always a whole one; the machine's loss of power may bring an earlier one back, and
 * has ended all processes then. A folder in a record's place, a link or a pipe is as good as a damaged one.
 *
 * The platform that opened the folder last owns it. One before it finds that out at its next write and changes nothing
 * any more.
 */
export class RecordStore {
  readonly folder: string;
  readonly #onError: (error: unknown, where: string) => void;
  readonly #token = randomUUID();
  /** Names what this store is about to write: whose it is. */
  #writer = '';

  constructor(dataFolder: string, onError: (error: unknown, where: string) => void) {
    this.folder = join(dataFolder, 'sessions');
    this.#onError = onError;
  }

  /** Takes the folder over. Resolves with the mark of its processes, which is made once and kept. */
  async open(): Promise<string> {
    this.#writer = `${pid}-${(await identify(pid))?.startedAt ?? 0}-${this.#token}`;
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      // A token is of no use to anyone once the machine was off.
      await this.#replace(OWNER, this.#token, false);
      const kept = await readPlainIfThere(join(this.folder, PLATFORM_ID));
      if (kept) return kept;
      const made = randomUUID();
      await this.#replace(PLATFORM_ID, made);
      return made;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
      const text = `no space is left on the disk of ${this.folder}; nothing is started or taken over until there is`;
      throw new PlatformError('platform_unavailable', text, true, { cause });
    }
  }

  /** All records. One that cannot be understood is set aside as `<id>.json.unreadable` and reported. */
  async read(): Promise<SessionRecord[]> {
    const records: SessionRecord[] = [];
    for (const name of await readdir(this.folder)) {
      const path = join(this.folder, name);
      if (name.endsWith('.part') && (await isAbandoned(path))) await rm(path, { force: true });
      if (!name.endsWith('.json')) continue;
      try {
        const text = await readPlainIfThere(path);
        if (text !== undefined) records.push(parseRecord(text, name.slice(0, -'.json'.length)));
      } catch (cause) {
        if (SHORTAGES.has((cause as NodeJS.ErrnoException).code)) throw cause;
        await rename(path, `${path}.unreadable`).catch((error: unknown) =>
          this.#onError(error, 'setting a record aside'),
        );
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
    if ((await readPlainIfThere(join(this.folder, OWNER))) === this.#token) return;
    throw new PlatformError(
      'platform_unavailable',
      `another process has taken over the sessions in ${this.folder}; one agent at a time may use a data folder`,
    );
  }

  async #replace(name: string, text: string, sync = true): Promise<void> {
    const path = join(this.folder, name);
    const part = `${path}.${this.#writer}.part`;
    try {
      const file = await open(part, 'w', 0o600);
      try {
        await file.writeFile(text);
        if (sync) await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, path);
    } catch (error) {
      // On a full disk each byte counts.
      await rm(part, { force: true }).catch(() => undefined);
      throw error;
    }
  }
}

/** Whether nobody is about to finish a file: its writer is gone, or has not come back to it for long. */
async function isAbandoned(path: string): Promise<boolean> {
  const [, writer, startedAt] = /\.(\d+)-(\d+)-[\da-f-]+\.part$/.exec(path) ?? [];
  if (!writer || !(await isAlive({ pid: Number(writer), startedAt: Number(startedAt) }))) return true;
  const stats = await stat(path).catch(() => undefined);
  return stats === undefined || Date.now() - stats.mtimeMs > PART_AGE_MS;
}
