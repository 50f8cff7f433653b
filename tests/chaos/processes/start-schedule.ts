import { connect } from 'node:net';
import { once } from 'node:events';
import { freePort } from '../../servers/free-port.js';
import type { Postgres } from '../../servers/postgres.js';
import { Random } from '../../fuzz/random.js';
import { until } from '../support/until.js';
import { Api } from './api.js';
import { Stage } from './stage.js';

/** What may happen to a control plane whose agent is connected. */
export const START_STEPS = [
  'second start with the same port',
  'second start with the same pod name',
  'kill -9 and restart under the same pod name',
  'stop and restart under the same pod name',
] as const;
export type StartStep = (typeof START_STEPS)[number];

/** How long a process may take to come or go, and an agent to connect, in ms. Machines that test are busy. */
const LIMIT_MS = 60_000;
const AGENT_ID = 'agent-1';

/** Each step once, in an order of the seed's, and then some more. */
export function stepsOf(seed: number, more = 0): StartStep[] {
  const random = Random.of(seed, 'starts', 0);
  const left = [...START_STEPS];
  const steps = START_STEPS.map(() => left.splice(random.upTo(left.length - 1), 1)[0]!);
  return [...steps, ...Array.from({ length: more }, () => random.pick(START_STEPS))];
}

/** Reports what is not as it has to be after a step; the schedule goes on. */
export async function runStarts(
  server: Postgres,
  seed: number,
  steps: readonly StartStep[],
): Promise<readonly string[]> {
  await using stage = await Stage.open(server, seed);
  const api = new Api(stage.base);
  const address = await stage.startControlPlane();
  await api.setUp(address.searchParams.get('token')!);
  await stage.enrol((agentId) => api.agentKey(agentId));
  stage.startAgent();
  await stage.agentConnected();
  const run = new Starts(stage, api);
  for (const [index, step] of steps.entries()) await run.step(index, step);
  return run.violations;
}

/** A row of the agent's, as it must stay while its connection does. */
interface AgentRow extends Readonly<Record<string, unknown>> {
  readonly epoch: number;
}

class Starts {
  readonly violations: string[] = [];
  #step = '';
  readonly #stage: Stage;
  readonly #api: Api;

  constructor(stage: Stage, api: Api) {
    this.#stage = stage;
    this.#api = api;
  }

  async step(index: number, step: StartStep): Promise<void> {
    this.#step = `step ${index}, ${step}`;
    switch (step) {
      case 'second start with the same port':
        await this.#secondWithPort();
        break;
      case 'second start with the same pod name':
        await this.#secondWithName();
        break;
      case 'kill -9 and restart under the same pod name':
        await this.#restart('kill');
        break;
      case 'stop and restart under the same pod name':
        await this.#restart('stop');
        break;
    }
    const agents = await this.#api.agents();
    this.#expect('the agent is online', agents[AGENT_ID], 'online');
    this.#expect('a creation succeeds', await this.#api.create(`after-${index}`), 201);
  }

  #expect(what: string, found: unknown, wanted: unknown): void {
    const [is, must] = [JSON.stringify(found), JSON.stringify(wanted)];
    if (is !== must) this.violations.push(`${this.#step}: ${what}: ${is}, not ${must}`);
  }

  #match(what: string, text: string, pattern: RegExp): void {
    if (!pattern.test(text))
      this.violations.push(`${this.#step}: ${what}: no ${String(pattern)} in:\n${text}`);
  }

  async #rows(): Promise<AgentRow[]> {
    const { rows } = await this.#stage.database.query<AgentRow>(
      'select status, epoch, websocket_conn_id, pod_name from agents order by agent_id',
    );
    return rows;
  }

  async #secondWithPort(): Promise<void> {
    const before = await this.#rows();
    const second = this.#stage.secondStart();
    await second.exited;
    this.#expect('the second start ends', second.end, 'exit code 1');
    this.#match(
      'it says why',
      second.output,
      /^ERROR: PORT=\d+: 127\.0\.0\.1:\d+ is in use by another program/m,
    );
    this.#expect('the rows are as before', await this.#rows(), before);
  }

  async #secondWithName(): Promise<void> {
    const before = await this.#rows();
    const port = await freePort();
    const second = this.#stage.secondStart({ PORT: String(port) });
    await second.printed(/waiting up to 3 s for it to end$/m, LIMIT_MS);
    await this.#isStarting(port);
    const agents = await this.#api.agents();
    this.#expect('the agent is online while the second one waits', agents[AGENT_ID], 'online');
    await second.exited;
    this.#expect('the second start ends', second.end, 'exit code 1');
    this.#match(
      'it says why',
      second.output,
      /^ERROR: POD_NAME=pod-chaos: in use by a replica that started at \S+Z and still runs; stop that one, or choose another name$/m,
    );
    this.#expect('the rows are as before', await this.#rows(), before);
  }

  /** Before it is ready it listens, lives, and takes neither requests nor agents. */
  async #isStarting(port: number): Promise<void> {
    const base = `http://127.0.0.1:${port}`;
    const statuses = await Promise.all(
      ['/health', '/ready', '/api/v1/agents'].map(async (path) => (await fetch(base + path)).status),
    );
    this.#expect('answers of a control plane that starts', statuses, [200, 503, 503]);
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'GET /api/v1/agents/connect HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    this.#expect(
      'the answer to an upgrade',
      answer.toString().split('\r\n')[0],
      'HTTP/1.1 503 Service Unavailable',
    );
  }

  async #restart(how: 'kill' | 'stop'): Promise<void> {
    const [before] = await this.#rows();
    await this.#stage.controlPlane![how]();
    await this.#stage.startControlPlane();
    const { output } = this.#stage.controlPlane!;
    const waited = /waiting up to 3 s for it to end$/m.test(output);
    this.#expect('the start waits for the replica of before', waited, how === 'kill');
    if (how === 'kill')
      this.#match('it says what it forgot', output, /Forgot 1 agent connections of replica pod-chaos/);
    await until(
      async () => Number((await this.#rows())[0]?.epoch) > Number(before?.epoch),
      LIMIT_MS,
      () => `${this.#step}: the agent has not connected again`,
    );
  }
}
