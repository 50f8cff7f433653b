import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../fuzz/random.js';
import { check, type Violation } from '../checker.js';
import { eventsOf } from '../history.js';
import { logCommands } from '../support/command-log.js';
import type { Postgres } from '../../servers/postgres.js';
import { until } from '../support/until.js';
import { Api } from './api.js';
import { collect, readEffects, unsettled } from './collect.js';
import { Load } from './load.js';
import { Stage } from './stage.js';

/** Longest life of a control plane once it serves, in ms. */
const LIFE_MS = 1_500;

/** Shares of kills that hit a control plane in its start, and that hit the agent as well. */
const KILLED_IN_START = 0.15;
const AGENT_TOO = 0.3;
/** How long everything may take to come to rest after the last kill, in ms. */
const HEAL_LIMIT_MS = 60_000;

export interface ScheduleReport {
  readonly violations: readonly Violation[];
  readonly commands: number;
  readonly effects: number;
  /** How often clients had to ask again. */
  readonly retries: number;
}

/**
 * Real processes under load: `kill -9` of the control plane at random moments, now and then of the agent too, and a new
 * start each time. In the end everything that anybody was promised has to be done, once.
 */
export async function runSchedule(server: Postgres, seed: number, kills: number): Promise<ScheduleReport> {
  await using stage = await Stage.open(server, seed);
  const random = Random.of(seed, 'processes', 0);
  const api = new Api(stage.base);
  const address = await stage.startControlPlane();
  await api.setUp(address.searchParams.get('token')!);
  await stage.enrol((agentId) => api.agentKey(agentId));
  stage.startAgent();
  await stage.agentConnected();

  await logCommands(stage.database);

  const load = new Load(api, seed);
  for (let kill = 0; kill < kills; kill++) {
    await sleep(random.upTo(LIFE_MS));
    await stage.controlPlane!.kill();
    if (random.chance(AGENT_TOO)) {
      await stage.agent!.kill();
      stage.startAgent();
    }
    if (random.chance(KILLED_IN_START) && kill < kills - 1) {
      // That it did not come to serve is the point.
      stage.startControlPlane().catch(() => undefined);
      continue;
    }
    await stage.startControlPlane();
  }
  await load.end();
  await heal(stage, load);
  const history = await collect(stage.database, {
    promised: load.promised,
    effects: await readEffects(stage.logPath),
    held: await stage.held(),
  });
  return {
    violations: check(history),
    commands: eventsOf(history, 'accepted').length,
    effects: eventsOf(history, 'effect').length,
    retries: api.retries,
  };
}

/** What has not come to rest in time is for the checker to name. */
async function heal(stage: Stage, load: Load): Promise<void> {
  const isSettled = async (): Promise<boolean> => {
    const { commands, sessions } = await unsettled(stage.database, load.promised);
    return commands === 0 && sessions === 0;
  };
  try {
    await until(isSettled, HEAL_LIMIT_MS, () => 'nothing');
  } catch {
    process.stderr.write(
      `not at rest after ${HEAL_LIMIT_MS} ms\n${stage.controlPlane?.output.slice(-4_000)}\n`,
    );
    process.stderr.write(`${stage.agent?.output.slice(-4_000)}\n`);
  }
}
