import {
  type ByteChannel,
  type Change,
  PlatformError,
  type PlatformSession,
  type SessionSpec,
} from '@streamspace/agent-core';
import type { DesktopHost } from './desktop-host.js';
import { Home } from './home.js';
import type { HostedDesktop, UnaskedEnd } from './hosted-desktop.js';
import type { SessionRecord } from './session-record.js';

/**
 * A session and its record. What is wanted is written down before anything is done for it, and that it is done after
 * that: an agent that dies in between finds at its next start what it was about to do.
 *
 * States, as the record has them: running ⇄ hibernated; running → stopped or failed, by itself. The platform makes one
 * changing call at a time.
 */
export class HostedSession {
  readonly spec: SessionSpec;
  readonly #host: DesktopHost;
  readonly #home: Home;
  readonly #desktop: HostedDesktop;
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
    this.#desktop = host.desktop(spec, this.#home, {
      place: found?.x,
      note: (x) => this.#write({ ...this.#record, x }),
      checkOwner: () => host.records.checkOwner(),
      onEnd: (end) => this.onEnd(end),
    });
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

  /** Without what has to be measured. */
  view(): PlatformSession {
    const { generation, commandId, end } = this.#record;
    const { sessionId } = this.spec;
    return {
      ...{ sessionId, generation, commandId, state: this.state, details: this.#desktop.details() },
      ...(end && { reason: end.reason }),
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
    await this.#settle();
  }

  /** Where it was hibernated or has ended. What fails leaves it as it was. */
  async open(change: Change, signal: AbortSignal): Promise<void> {
    const before = this.#record;
    await this.#write({ ...unended(before), ...stamp(change), wanted: 'running', settled: false });
    try {
      await this.#desktop.open(signal);
      await this.#settle();
    } catch (error) {
      // Not where another platform has taken over: what runs is its by now.
      await this.#host.records.checkOwner();
      await this.#desktop.close();
      await this.#write(before);
      throw error;
    }
  }

  async hibernate(change: Change): Promise<void> {
    await this.#write({ ...unended(this.#record), ...stamp(change), wanted: 'hibernated', settled: false });
    await this.#desktop.close();
    await this.#settle();
  }

  async remove(change: Change): Promise<void> {
    await this.#write({ ...this.#record, ...stamp(change), wanted: 'gone', settled: false });
    await this.#finishRemoving();
  }

  async ended(end: UnaskedEnd): Promise<void> {
    await this.#write({ ...this.#record, settled: false, end });
    await this.#desktop.close();
    await this.#settle();
  }

  /**
   * Reaches what an earlier process wanted. Resolves with whether there is a session then; one that cannot be brought
   * back has failed.
   */
  async restore(signal: AbortSignal): Promise<boolean> {
    const { wanted, settled, end } = this.#record;
    try {
      if (wanted === 'running' && !end) {
        if (settled && (await this.#desktop.adopt())) return true;
        await this.#write({ ...this.#record, settled: false });
        await this.#desktop.open(signal);
      } else if (wanted === 'gone') {
        await this.#finishRemoving();
        return false;
      } else {
        await this.#desktop.close();
      }
      await this.#settle();
    } catch (error) {
      // While the platform is being closed: the next one tries again.
      if (!signal.aborted) await this.#notRestored(error);
    }
    return true;
  }

  async release(): Promise<void> {
    await (this.#host.endAtClose ? this.#desktop.close() : this.#desktop.release());
  }

  async connect(signal: AbortSignal): Promise<ByteChannel> {
    const { sessionId } = this.spec;
    if (this.running) return await this.#desktop.connect(signal);
    const remedy = this.state === 'hibernated' ? 'wake it first' : 'start it first';
    throw new PlatformError('connect_failed', `session ${sessionId} is ${this.state}; ${remedy}`);
  }

  async #notRestored(error: unknown): Promise<void> {
    const why = error instanceof Error ? error.message : String(error);
    const reason = `it could not be brought back after the agent had ended: ${why}`;
    this.#record = { ...this.#record, end: { state: 'failed', reason } };
    await this.#write(this.#record);
  }

  /** The change has had its last effect. */
  async #settle(): Promise<void> {
    const { x, ...rest } = this.#record;
    const runs = rest.wanted === 'running' && !rest.end;
    await this.#write({ ...rest, ...(runs && x && { x }), settled: true });
  }

  async #finishRemoving(): Promise<void> {
    await this.#desktop.close();
    if (this.spec.persistentHome === false) await this.#home.remove();
    await this.#desktop.forget();
    await this.#host.records.remove(this.spec.sessionId);
  }

  async #write(record: SessionRecord): Promise<void> {
    await this.#host.records.write(record);
    this.#record = record;
  }
}

function stamp({ generation, commandId }: Change): Change {
  return { generation, commandId };
}

function unended({ end: _end, ...rest }: SessionRecord): SessionRecord {
  return rest;
}
