import type { AgentMessage, AgentPayloads, OpenRequest } from '@streamspace/protocol';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { carryOut, type Command } from './carry-out.js';
import { CommandRunner, LET_GO_MS } from './command-runner.js';
import { codeOf, PlatformError } from './errors.js';
import { LoopTurns } from './loop-turns.js';
import { countCode, type AgentCounters, type AgentMetrics } from './metrics.js';
import type { ResolvedAgentOptions } from './options.js';
import { ReportQueue } from './report-queue.js';
import type { Result } from './result-log.js';
import { SessionMonitor } from './session-monitor.js';
import { SessionTable } from './session-table.js';
import { openViewerStream } from './viewer-stream.js';

export interface WorkOptions {
  readonly options: ResolvedAgentOptions;
  readonly counters: AgentCounters;
  /** Sends over the current connection; returns whether there is one. */
  readonly send: (message: AgentMessage) => boolean;
  /** The control plane should hear what the platform holds, soon. */
  readonly onInventoryDue: () => void;
}

/**
 * What an agent does during one term, over whatever connections: it carries out commands, watches the platform's
 * sessions and opens streams to them. It knows nothing of what an earlier term did but what the platform shows.
 */
export class Work {
  readonly runner: CommandRunner;
  readonly reports: ReportQueue;
  readonly #options: ResolvedAgentOptions;
  readonly #counters: AgentCounters;
  readonly #table = new SessionTable();
  readonly #monitor: SessionMonitor;
  readonly #turns = new LoopTurns();
  #streams = 0;

  constructor({ options, counters, send, onInventoryDue }: WorkOptions) {
    this.#options = options;
    this.#counters = counters;
    this.reports = new ReportQueue({ send, onDropped: () => (counters.reportsDropped += 1) });
    this.runner = new CommandRunner({
      carryOut: (command, signal) =>
        carryOut(
          {
            platform: options.platform,
            table: this.#table,
            maxSessions: options.capacity.maxSessions,
            survey: (until) => this.survey(until),
            onFound: (session) => this.#monitor.adopted(session),
            onAdopted: () => (counters.commandsAdopted += 1),
            onRetry: ({ action, sessionId }, error, pauseMs) =>
              options.onError(error, `${action} of session ${sessionId}, tried again in ${pauseMs} ms`),
          },
          command,
          signal,
        ),
      parallel: options.parallelCommands,
      send,
      onRepeated: () => (counters.commandsRepeated += 1),
      onStarted: ({ commandId, action, sessionId }) =>
        options.onEvent({ type: 'command', commandId, action, sessionId }),
      onFinished: (command, result) => this.#finished(command, result),
      onStuck: (command) => this.#stuck(command),
      onLetGo: ({ sessionId }) => {
        this.#table.forget(sessionId);
        onInventoryDue();
      },
    });
    this.#monitor = new SessionMonitor({
      platform: options.platform,
      table: this.#table,
      isBusy: (sessionId) => this.runner.isBusy(sessionId),
      report: (report) => {
        this.reports.add(report);
        const { sessionId } = report.payload;
        if (report.type === 'session_event')
          options.onEvent({
            type: 'session',
            sessionId,
            kind: report.payload.kind,
            message: report.payload.message,
          });
      },
      onMissing: onInventoryDue,
      onError: options.onError,
      idleAfterMs: options.idleAfterMs,
      usageIntervalMs: options.usageIntervalMs,
      pollIntervalMs: options.pollIntervalMs,
      now: () => performance.now(),
    });
    this.#monitor.open();
  }

  /** Sessions that run or are being started, as last seen. */
  get activeSessions(): number {
    return this.#table.active;
  }

  /** Why the agent cannot count on its platform now, a sentence; `undefined` where it can. */
  get problem(): string | undefined {
    if (!this.runner.isStuck) return this.#monitor.problem;
    const { stuck } = this.runner.counts;
    return `The platform has not ended ${stuck} ${stuck === 1 ? 'call that was' : 'calls that were'} given up.`;
  }

  /** Everything that the platform holds. @throws what the platform throws, or the signal's reason */
  async survey(signal?: AbortSignal): Promise<AgentPayloads['inventory']['sessions']> {
    try {
      const sessions = await this.#monitor.survey(signal);
      return sessions.map(({ sessionId, generation, commandId, state }) => ({
        sessionId,
        generation,
        commandId,
        state,
      }));
    } catch (error) {
      this.#counters.inventoryFailures += 1;
      throw error;
    }
  }

  /** @throws what `openViewerStream` throws */
  async openStream(request: OpenRequest, signal: AbortSignal): Promise<ByteChannel> {
    const { onEvent, platform } = this.#options;
    const { sessionId } = request;
    const { activity } = this.#monitor;
    try {
      const onInput = (): void => activity.input(sessionId);
      const turns = this.#turns;
      const { channel, dropped } = await openViewerStream({ platform, request, signal, turns, onInput });
      this.#counters.streamsOpened += 1;
      this.#streams += 1;
      activity.viewerCame(sessionId);
      onEvent({ type: 'stream', sessionId, open: true });
      void channel.closed.then((error) => {
        this.#streams -= 1;
        this.#counters.viewerMessagesDropped += dropped();
        activity.viewerLeft(sessionId);
        onEvent({ type: 'stream', sessionId, open: false, ...(error && { detail: error.message }) });
      });
      return channel;
    } catch (error) {
      countCode(this.#counters.streamsFailed, codeOf(error));
      throw error;
    }
  }

  metrics(): Pick<
    AgentMetrics,
    'commandsActing' | 'commandsWaiting' | 'commandsStuck' | 'resultsUnreported' | 'streams' | 'sessions'
  > {
    const sessions = { starting: 0, running: 0, hibernated: 0, stopped: 0, failed: 0 };
    for (const { state } of this.#table.held().values()) if (state !== 'gone') sessions[state] += 1;
    const { acting, waiting, stuck, unreported } = this.runner.counts;
    return {
      commandsActing: acting,
      commandsWaiting: waiting,
      commandsStuck: stuck,
      resultsUnreported: unreported,
      streams: this.#streams,
      sessions,
    };
  }

  /** Stops watching. Commands are ended by the runner's own methods, streams by their tunnels. */
  close(): void {
    this.#monitor.close();
    this.reports[Symbol.dispose]();
  }

  #stuck({ action, commandId, sessionId }: Command): void {
    // What it comes to is for the platform to show.
    this.#table.forget(sessionId);
    const text = `${action} of session ${sessionId} (command ${commandId}) went on ${LET_GO_MS} ms after its abort`;
    this.#options.onError(new PlatformError('timeout', text), 'giving up a call of the platform');
  }

  #finished({ commandId, action, sessionId }: Command, result: Result): void {
    const { onEvent } = this.#options;
    if (result.type === 'complete') {
      this.#counters.commandsCompleted[action] += 1;
      onEvent({ type: 'command_done', commandId, action, sessionId, ok: true });
      return;
    }
    const { error, code = 'internal' } = result.payload;
    countCode(this.#counters.commandsFailed, code);
    onEvent({ type: 'command_done', commandId, action, sessionId, ok: false, code, detail: error });
  }
}
