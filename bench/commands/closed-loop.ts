import type { Path } from './paths.js';
import type { Agent, World } from './world.js';

/** Most commands of one agent in flight, as in the hub. */
const WINDOW = 32;

/** One agent's dispatcher and the agent itself, which acknowledges at once and completes in a moment. */
class SimulatedAgent {
  #inFlight = 0;
  #pumping = false;
  #again = false;

  constructor(
    private readonly path: Path,
    private readonly agent: Agent,
    private readonly done: (commandId: string) => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  wake(): void {
    this.#pump().catch(this.failed);
  }

  async #pump(): Promise<void> {
    if (this.#pumping) {
      this.#again = true;
      return;
    }
    this.#pumping = true;
    do {
      this.#again = false;
      const { agentId, epoch } = this.agent;
      while (this.#inFlight < WINDOW) {
        const claimed = await this.path.claim(agentId, epoch, WINDOW - this.#inFlight);
        if (claimed.length === 0) break;
        this.#inFlight += claimed.length;
        for (const { commandId } of claimed) this.#carryOut(commandId).catch(this.failed);
      }
    } while (this.#again);
    this.#pumping = false;
  }

  async #carryOut(commandId: string): Promise<void> {
    const { agentId } = this.agent;
    await this.path.carryOut(commandId, agentId);
    this.#inFlight -= 1;
    this.done(commandId);
    if (this.#inFlight === WINDOW - 1) this.wake();
  }
}

export interface Rate {
  readonly perSecond: number;
  readonly commands: number;
  /** From `enqueue` to the persisted result, in ms. */
  readonly latenciesMs: number[];
}

/**
 * `producers` that each enqueue a session's start, wait for its persisted result, and go on with the next session; until
 * the time is up or there is no session left.
 */
export async function closedLoop(
  world: World,
  path: Path,
  { producers, seconds, pauseMs = 0 }: { producers: number; seconds: number; pauseMs?: number },
): Promise<Rate> {
  const waiting = new Map<string, () => void>();
  let fail: (error: unknown) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => (fail = reject));
  const done = (commandId: string): void => waiting.get(commandId)?.();
  const agents = new Map(
    world.agents.map((agent) => [agent.agentId, new SimulatedAgent(path, agent, done, fail)]),
  );
  const latenciesMs: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  const produce = async (): Promise<void> => {
    while (performance.now() < end) {
      const command = world.nextStart();
      if (!command) return;
      const asked = performance.now();
      const finished = new Promise<void>((resolve) => waiting.set(command.commandId, resolve));
      await path.enqueue(command);
      agents.get(command.agentId)!.wake();
      await finished;
      waiting.delete(command.commandId);
      latenciesMs.push(performance.now() - asked);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  await Promise.race([Promise.all(Array.from({ length: producers }, produce)), failure]);
  const elapsed = (performance.now() - start) / 1000;
  return { perSecond: latenciesMs.length / elapsed, commands: latenciesMs.length, latenciesMs };
}
