import {
  type ByteChannel,
  type Change,
  PlatformError,
  type PlatformSession,
  type SessionSpec,
} from '@streamspace/agent-core';
import type { DesktopHost, DesktopRun } from './desktop-host.js';
import { Home } from './home.js';
import type { HostedDesktop, UnaskedEnd } from './hosted-desktop.js';
import { RecordKeeper } from './record-keeper.js';
import type { SessionRecord } from './session-record.js';

/**
 * A session and its record. What is wanted is written down before anything is done for it, and that it is done after
 * that: an agent that dies in between finds at its next start what it was about to do. What cannot be written down is
 * not begun; but an end is carried out all the same, and known here until it can be written (see {@link RecordKeeper}).
 *
 * States, as the record has them: running ⇄ hibernated; running → stopped or failed, by itself. The platform makes one
 * changing call at a time.
 */
export class HostedSession {
  readonly spec: SessionSpec;
  readonly #host: DesktopHost;
  readonly #home: Home;
  readonly #desktop: HostedDesktop;
  readonly #keeper: RecordKeeper;
  readonly #run: DesktopRun;
  #record: SessionRecord;
  /** Told of an end that nobody asked for. */
  onEnd: (end: UnaskedEnd) => void = () => undefined;

  /** @param found what an earlier process has written */
  constructor(host: DesktopHost, spec: SessionSpec, change: Change, found?: SessionRecord) {
    const { commandId, generation } = change;
    this.#host = host;
    this.spec = spec;
    this.#record = found ?? { spec, generation, commandId, wanted: 'hibernated', settled: true };
    this.#home = new Home(host.dataFolder, spec.sessionId);
    this.#keeper = new RecordKeeper(host.records, host.onError);
    this.#run = {
      place: found?.x,
      note: (x) => this.#write({ ...this.#record, x }),
      checkOwner: () => host.records.checkOwner(),
      onEnd: (end) => this.onEnd(end),
    };
    this.#desktop = host.desktop(spec, this.#home, this.#run);
  }

  get generation(): number {
    return this.#record.generation;
  }

  get state(): 'starting' | 'running' | 'hibernated' | 'stopped' | 'failed' {
    const { end, wanted, settled } = this.#record;
    if (end) return end.state;
    if (wanted === 'running') return settled ? 'running' : 'starting';
    // What is being ended is there until it is gone.
    return wanted === 'hibernated' && settled ? 'hibernated' : 'running';
  }

  get running(): boolean {
    return this.state === 'running';
  }

  /** Whether its desktop is there now, in spite of what the record says. */
  async isAlive(): Promise<boolean> {
    return this.running && (await this.#desktop.isAlive());
  }

  /** Why it cannot be opened on this platform, if so. */
  get #hindrance(): Error | undefined {
    try {
      this.#host.check(this.spec);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Without what has to be measured. */
  view(): PlatformSession {
    const { generation, commandId, end } = this.#record;
    const { sessionId } = this.spec;
    const reason = end?.reason ?? (this.state === 'hibernated' ? this.#hindrance?.message : undefined);
    return {
      ...{ sessionId, generation, commandId, state: this.state, details: this.#desktop.details() },
      ...(reason !== undefined && { reason }),
    };
  }

  async describe(): Promise<PlatformSession> {
    const usage = this.running ? await this.#desktop.usage?.() : undefined;
    return { ...this.view(), ...(usage && { usage }) };
  }

  /** Writes down that it is wanted. When it rejects, all is as before. */
  async announce(older: HostedSession | undefined): Promise<void> {
    const place = older && older.#record.x;
    await this.#write({ ...this.#record, ...(place && { x: place }), wanted: 'running', settled: false });
  }

  /** The first start: in the place of an older generation, if there is one. What fails is to be removed. */
  async begin(older: HostedSession | undefined, signal: AbortSignal): Promise<void> {
    if (older) await older.#desktop.close();
    await this.#desktop.open(signal);
    await this.#write(this.#settled);
  }

  /** Where it was hibernated or has ended. What fails leaves it as it was. */
  async open(change: Change, signal: AbortSignal): Promise<void> {
    this.#host.check(this.spec);
    const before = this.#record;
    await this.#write({ ...unended(before), ...stamp(change), wanted: 'running', settled: false });
    try {
      await this.#desktop.open(signal);
      await this.#write(this.#settled);
    } catch (error) {
      // Not where another platform has taken over: what runs is its by now.
      await this.#host.records.checkOwner();
      await this.#desktop.close();
      await this.#keep(before);
      throw error;
    }
  }

  async hibernate(change: Change): Promise<void> {
    await this.#keep({ ...unended(this.#record), ...stamp(change), wanted: 'hibernated', settled: false });
    await this.#desktop.close();
    await this.#keep(this.#settled);
  }

  async remove(change: Change): Promise<void> {
    await this.#keep({ ...this.#record, ...stamp(change), wanted: 'gone', settled: false });
    await this.#finishRemoving();
  }

  async ended(end: UnaskedEnd): Promise<void> {
    await this.#keep({ ...this.#record, settled: false, end });
    await this.#desktop.close();
    await this.#keep(this.#settled);
  }

  /**
   * Reaches what an earlier process wanted. Resolves with whether there is a session then; one that cannot be brought
   * back has failed.
   */
  async restore(signal: AbortSignal): Promise<boolean> {
    const { wanted, settled, end, x } = this.#record;
    try {
      // Another generation's, which died before it could end it.
      if (x && !this.#host.isX(this.spec)) await this.#host.endRemains(this.spec, this.#home, this.#run);
      const hindrance = wanted === 'running' && !end ? this.#hindrance : undefined;
      if (hindrance) {
        await this.#fail(hindrance.message);
        await this.#desktop.close();
        await this.#keep(this.#settled);
      } else if (wanted === 'running' && !end) {
        if (settled && (await this.#desktop.adopt())) return true;
        await this.#write({ ...this.#record, settled: false });
        await this.#desktop.open(signal);
        await this.#keep(this.#settled);
      } else if (wanted === 'gone') {
        await this.#finishRemoving();
        return false;
      } else {
        await this.#desktop.close();
        await this.#keep(this.#settled);
      }
    } catch (error) {
      // While the platform is being closed: the next one tries again.
      if (!signal.aborted) await this.#notRestored(error);
    }
    return true;
  }

  async release(): Promise<void> {
    const isEnd = this.#host.endAtClose && (await this.#isOurs());
    await (isEnd ? this.#desktop.close() : this.#desktop.release());
    await this.#keeper.release();
  }

  async connect(signal: AbortSignal): Promise<ByteChannel> {
    const { sessionId } = this.spec;
    if (this.running) return await this.#desktop.connect(signal);
    const remedy = this.state === 'hibernated' ? 'wake it first' : 'start it first';
    throw new PlatformError('connect_failed', `session ${sessionId} is ${this.state}; ${remedy}`);
  }

  async #notRestored(error: unknown): Promise<void> {
    const why = error instanceof Error ? error.message : String(error);
    await this.#fail(`it could not be brought back after the agent had ended: ${why}`);
  }

  async #fail(reason: string): Promise<void> {
    await this.#keep({ ...this.#record, end: { state: 'failed', reason } });
  }

  async #isOurs(): Promise<boolean> {
    return await this.#host.records.checkOwner().then(
      () => true,
      () => false,
    );
  }

  /** As it is once the change has had its last effect. */
  get #settled(): SessionRecord {
    const { x, ...rest } = this.#record;
    const runs = rest.wanted === 'running' && !rest.end;
    return { ...rest, ...(runs && x && { x }), settled: true };
  }

  async #finishRemoving(): Promise<void> {
    await this.#desktop.close();
    if (this.spec.persistentHome === false) await this.#home.remove();
    await this.#desktop.forget();
    try {
      await this.#keeper.remove(this.spec.sessionId);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const reason = `it was stopped, and its record could not be removed: ${why}`;
      this.#record = { ...this.#record, end: { state: 'stopped', reason } };
      throw cause;
    }
  }

  /** Rejects, and all is as before, where it cannot be written. */
  async #write(record: SessionRecord): Promise<void> {
    await this.#keeper.write(record);
    this.#record = record;
  }

  /** Rejects only where another platform has taken over. */
  async #keep(record: SessionRecord): Promise<void> {
    await this.#keeper.keep(record);
    this.#record = record;
  }
}

function stamp({ generation, commandId }: Change): Change {
  return { generation, commandId };
}

function unended({ end: _end, ...rest }: SessionRecord): SessionRecord {
  return rest;
}
