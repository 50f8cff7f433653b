import { createAgent } from '@streamspace/agent-core';
import {
  createAgentHub,
  memoryCommandQueue,
  memoryOwnership,
  type AgentHub,
  type CommandQueue,
  type NewCommand,
} from '@streamspace/hub';
import { Random } from '../../fuzz/random.js';
import { heldEvents, type History, type HistoryEvent } from '../history.js';
import { overLink, type StatementFault } from './database.js';
import { Network } from './network.js';
import { SimPlatform } from './platform.js';
import { RecordedQueue } from './recorded-queue.js';
import { FAULTS_END_MS, type Fault, type Schedule } from './schedule.js';
import { SimProcess, VirtualClock } from './virtual-clock.js';

const AGENT_ID = 'agent-1';
/** Of the hub: mostly a tenth and less of what it has in production, so that a run is short. */
const TIMING = {
  heartbeatIntervalMs: 1_000,
  heartbeatTimeoutMs: 3_000,
  // An inventory has the queue asked too, and would hide a sweep that does not work.
  inventoryIntervalMs: 600_000,
  ackTimeoutMs: 2_000,
  sweepIntervalMs: 500,
  commandWindow: 4,
};
/** Events of agents that say nothing about commands. */
const QUIET: ReadonlySet<string> = new Set(['heartbeat', 'inventory']);
const LONG_DEADLINE_MS = 600_000;
const SHORT_DEADLINE_MS = 2_000;
/** How long the client waits for an answer before it asks again, in ms. */
const CLIENT_TIMEOUT_MS = 2_000;
/** By then everything has to be carried out, in ms. */
export const HEALED_MS = FAULTS_END_MS + 60_000;

export interface SimulationResult {
  readonly history: History;
  /** When the last command had its outcome, in ms; undefined when one has none. */
  readonly healedAt: number | undefined;
}

export interface SimulationOptions {
  /** Puts something between the hub and the queue; for dispatchers that are broken on purpose. */
  readonly sabotage?: (queue: CommandQueue) => CommandQueue;
  /** Told what happens, a line each, with the time in ms. */
  readonly trace?: (line: string) => void;
}

/**
 * The real hub and the real agent in one process, on a clock and a network that the seed decides; the database is the
 * hub's memory queue, which outlives every crash. Nothing else may run in the process meanwhile.
 */
export async function simulate(
  schedule: Schedule,
  options: SimulationOptions = {},
): Promise<SimulationResult> {
  const random = Random.of(schedule.seed, 'run', 0);
  using clock = new VirtualClock(() => random.next());
  const world = new World(schedule, random, clock, options);
  try {
    return await world.run();
  } finally {
    world[Symbol.dispose]();
  }
}

class World implements Disposable {
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #clock: VirtualClock;
  readonly #network: Network;
  readonly #platform: SimPlatform;
  readonly #queue: RecordedQueue;
  readonly #ownership = memoryOwnership();
  readonly #sabotage: (queue: CommandQueue) => CommandQueue;
  readonly #trace: (line: string) => void;
  readonly #history: HistoryEvent[] = [];
  #clients = 0;
  #controlPlane: { process: SimProcess; hub: AgentHub; commands: CommandQueue } | undefined;
  #agent: SimProcess | undefined;

  constructor(
    schedule: Schedule,
    random: Random,
    clock: VirtualClock,
    { sabotage = (queue) => queue, trace }: SimulationOptions,
  ) {
    const { weather } = schedule;
    this.#schedule = schedule;
    this.#random = random;
    this.#clock = clock;
    this.#sabotage = sabotage;
    this.#trace = (line) => trace?.(`${Math.round(clock.now)} ms: ${line}`);
    const record = (event: HistoryEvent): void => void this.#history.push(event);
    this.#network = new Network({ clock, latency: () => 1 + random.upTo(weather.networkMs) });
    this.#platform = new SimPlatform(clock, () => random.upTo(weather.platformMs), record);
    this.#queue = new RecordedQueue(memoryCommandQueue(), record, this.#trace);
  }

  async run(): Promise<SimulationResult> {
    const { faults, sessions } = this.#schedule;
    this.#startControlPlane();
    this.#startAgent();
    for (const { at, fault, downMs } of faults) this.#clock.after(at, () => this.#strike(fault, downMs));
    for (const session of sessions) {
      this.#clients += 1;
      void this.#load(session.sessionId, session.times).finally(() => (this.#clients -= 1));
    }
    const done = (): boolean =>
      this.#clock.now >= FAULTS_END_MS && this.#clients === 0 && this.#queue.open === 0;
    await this.#clock.run(done, HEALED_MS);
    const healedAt = done() ? this.#clock.now : undefined;
    this.#kill(this.#agent);
    this.#kill(this.#controlPlane?.process);
    return { history: [...this.#history, ...heldEvents(this.#platform.held)], healedAt };
  }

  [Symbol.dispose](): void {
    this.#network[Symbol.dispose]();
  }

  #startControlPlane(): void {
    const process = new SimProcess('control plane');
    const { databaseMs, refused, answersLost } = this.#schedule.weather;
    const random = this.#random;
    const link = {
      clock: this.#clock,
      owner: process,
      latency: () => random.upTo(databaseMs),
      fault: (): StatementFault => {
        if (this.#clock.now > FAULTS_END_MS) return 'none';
        if (random.chance(refused)) return 'refused';
        return random.chance(answersLost) ? 'answer_lost' : 'none';
      },
    };
    this.#clock.as(process, () => {
      const commands = this.#sabotage(overLink(this.#queue.queue, link));
      const hub = createAgentHub({
        ...TIMING,
        podName: 'pod-1',
        ownership: overLink(this.#ownership, link),
        commands,
        onEvent: (event) => {
          if (event.type !== 'inventory') this.#trace(`hub: ${JSON.stringify(event)}`);
        },
        onError: (error, where) => this.#trace(`hub, ${where}: ${String(error)}`),
      });
      this.#controlPlane = { process, hub, commands };
      this.#network.listen(process, (server) =>
        server.on('upgrade', (request, socket, head) =>
          hub.handleUpgrade(request, socket, head as Uint8Array, AGENT_ID),
        ),
      );
    });
  }

  #startAgent(): void {
    const process = new SimProcess('agent');
    this.#agent = process;
    this.#clock.as(process, () => {
      const agent = createAgent({
        agentId: AGENT_ID,
        // No socket is opened: the simulated network takes the connection.
        controlPlaneUrl: 'ws://localhost',
        apiKey: 'simulated',
        platform: this.#platform.client(process),
        reconnect: { first: 100, longest: 2_000 },
        onEvent: (event) => {
          if (!QUIET.has(event.type)) this.#trace(`agent: ${JSON.stringify(event)}`);
        },
        onError: (error, where) => this.#trace(`agent, ${where}: ${String(error)}`),
      });
      void agent.run(new AbortController().signal);
    });
  }

  #kill(process: SimProcess | undefined): void {
    process?.kill();
    if (process) this.#network.killed(process);
  }

  #strike(fault: Fault, downMs: number): void {
    this.#trace(`${fault} for ${downMs} ms`);
    switch (fault) {
      case 'cut':
        return this.#network.cut('both');
      case 'agent_deaf':
        return this.#network.cut('control_plane');
      case 'control_plane_deaf':
        return this.#network.cut('agent');
      case 'agent_crash': {
        if (!this.#agent) return;
        this.#kill(this.#agent);
        this.#agent = undefined;
        return this.#clock.after(downMs, () => this.#startAgent());
      }
      case 'control_plane_crash': {
        if (!this.#controlPlane) return;
        this.#kill(this.#controlPlane.process);
        this.#controlPlane = undefined;
        return this.#clock.after(downMs, () => this.#startControlPlane());
      }
    }
  }

  /** A client: asks for one thing after the other, and for each until it is told yes. */
  async #load(sessionId: string, times: readonly number[]): Promise<void> {
    for (const [index, at] of times.entries()) {
      await this.#clock.sleep(Math.max(0, at - this.#clock.now));
      const isStart = index % 2 === 0;
      const isShort = this.#random.chance(this.#schedule.weather.shortDeadlines);
      const command: NewCommand = {
        commandId: `${sessionId}-${index + 1}`,
        agentId: AGENT_ID,
        sessionId,
        generation: 1 + (index >> 1),
        action: isStart ? 'start_session' : 'stop_session',
        payload: isStart ? { user: 'ada', template: 'desk', templateManifest: {} } : {},
        deadline: Date.now() + (isShort ? SHORT_DEADLINE_MS : LONG_DEADLINE_MS),
      };
      while (!(await this.#ask(command))) await this.#clock.sleep(100);
    }
  }

  /** Resolves with whether the client was told yes. */
  async #ask(command: NewCommand): Promise<boolean> {
    const controlPlane = this.#controlPlane;
    if (!controlPlane) return false;
    const { process, hub, commands } = controlPlane;
    const isAwake = !this.#random.chance(this.#schedule.weather.lostWakeups);
    const answered = this.#clock.as(process, () =>
      commands.enqueue(command).then(
        () => {
          if (isAwake) hub.wake(command.agentId);
          return true;
        },
        () => false,
      ),
    );
    return Promise.race([answered, this.#clock.sleep(CLIENT_TIMEOUT_MS).then(() => false)]);
  }
}
