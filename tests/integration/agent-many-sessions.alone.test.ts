import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { memoryOwnership } from '@streamspace/hub';
import { builtInDesktopTemplate } from '@streamspace/platform-local';
import { afterEach, describe, expect, it } from 'vitest';
import { cheapViewer, type CheapViewer } from './support/cheap-viewer.js';
import { commander, newCommand } from './support/command.js';
import type { DesktopsAgentOrders, DesktopsAgentReport } from './support/desktops-agent.js';
import { hubAndAgent, KEY } from './support/hub-and-agent.js';

const SESSIONS = 200;
const HEARTBEAT_MS = 2_000;
/**
 * A heartbeat may arrive this much after its time, in ms, on a machine that has the time: where others keep every core
 * busy n times over, each process gets an n-th of it, and waits n times as long.
 */
const LATE_MS = 1_000;
/** How long all viewers draw and look, in ms, and how often each does. */
const WORK_MS = 12_000;
const WORK_EVERY_MS = 1_000;
const MIB = 2 ** 20;
/** The first picture of a desktop is more than this. */
const PICTURE_BYTES = 50_000;

let stage: Awaited<ReturnType<typeof hubAndAgent>>;
let folder: string;
let child: ChildProcess;
afterEach(async () => {
  const exited = once(child, 'exit');
  if (child.connected) child.disconnect();
  // It stops in order, and is not waited for beyond its time.
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  if (child.exitCode === null && child.signalCode === null) await exited;
  clearTimeout(timer);
  await stage.close();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

/** An ownership that notes when heartbeats arrive. */
function notedOwnership() {
  const ownership = memoryOwnership();
  const arrivals: number[] = [];
  let last: unknown;
  const heard = ownership.heard.bind(ownership);
  ownership.heard = (agentId, epoch, report) => {
    // The hub repeats the last report itself when it hears of an agent without one: that is no heartbeat.
    if (report !== last) arrivals.push(performance.now());
    last = report;
    return heard(agentId, epoch, report);
  };
  return { ownership, arrivals };
}

/** Draws a line and waits to see it, again and again; resolves with how often. */
async function work(viewer: CheapViewer, index: number, until: number): Promise<number> {
  const [x, y] = [Math.floor(viewer.width * 0.75), Math.floor(viewer.height * 0.6)];
  // Not all in the same moment.
  await pause((index / SESSIONS) * WORK_EVERY_MS);
  let strokes = 0;
  for (; performance.now() < until; strokes++) {
    const began = performance.now();
    const before = viewer.bytes;
    await viewer.request(true);
    await viewer.stroke(x + (strokes % 20), y);
    await viewer.more(before);
    await pause(Math.max(0, WORK_EVERY_MS - (performance.now() - began)));
  }
  return strokes;
}

describe(`an agent with ${SESSIONS} sessions, all with a viewer`, () => {
  it('is never late with a heartbeat by more than a second', async () => {
    const { ownership, arrivals } = notedOwnership();
    stage = await hubAndAgent({
      ownership,
      heartbeatIntervalMs: HEARTBEAT_MS,
      heartbeatTimeoutMs: 30_000,
      commandWindow: SESSIONS,
    });
    const { issue, outcomes } = commander(stage);
    folder = await mkdtemp(join(tmpdir(), 'streamspace-many-'));
    const orders: DesktopsAgentOrders = {
      url: `ws://127.0.0.1:${stage.port}`,
      apiKey: KEY,
      dataFolder: folder,
    };
    child = fork(
      fileURLToPath(new URL('support/desktops-agent.ts', import.meta.url)),
      [JSON.stringify(orders)],
      {
        execArgv: ['--conditions=@streamspace/source', '--import', 'tsx'],
      },
    );
    const report = async (): Promise<DesktopsAgentReport> => {
      child.send('report');
      const [answer] = (await once(child, 'message')) as [DesktopsAgentReport];
      return answer;
    };
    await expect.poll(() => arrivals.length, { timeout: 20_000 }).toBeGreaterThan(0);
    const empty = await report();

    const beganAt = performance.now();
    const payload = {
      user: 'someone',
      template: builtInDesktopTemplate.metadata.name,
      templateManifest: { ...builtInDesktopTemplate },
    };
    for (let i = 0; i < SESSIONS; i++) await issue(newCommand('start_session', `desk-${i}`, { payload }));
    await expect.poll(() => outcomes.size, { timeout: 40_000 }).toBe(SESSIONS);
    expect(new Set([...outcomes.values()].map(({ state }) => state))).toEqual(new Set(['completed']));
    const started = await report();
    const startedAt = performance.now();

    const viewers = await Promise.all(
      Array.from({ length: SESSIONS }, async (_, i) => {
        const channel = await stage.hub.openStream({
          agentId: 'agent-1',
          sessionId: `desk-${i}`,
          policy: { role: 'control', clipboard: 'both' },
        });
        const viewer = await cheapViewer(channel);
        await viewer.request(false);
        await viewer.more(PICTURE_BYTES);
        return viewer;
      }),
    );
    const viewed = await report();
    const viewedAt = performance.now();
    const strokes = await Promise.all(viewers.map((viewer, i) => work(viewer, i, viewedAt + WORK_MS)));
    const worked = await report();
    const workedAt = performance.now();
    const { width, height } = viewers[0]!;
    await Promise.all(viewers.map((viewer) => viewer.close()));

    const gaps = arrivals.slice(1).map((at, i) => at - arrivals[i]!);
    const latest = Math.max(...gaps) - HEARTBEAT_MS;
    const cores = (worked.cpuSeconds - viewed.cpuSeconds) / ((workedAt - viewedAt) / 1000);
    const crowd = Math.max(1, loadavg()[0]! / availableParallelism());
    const total = strokes.reduce((sum, count) => sum + count, 0);
    console.log(
      [
        `${SESSIONS} built-in desktops of ${width} x ${height}, a viewer each, one agent:`,
        `started in ${Math.round(startedAt - beganAt)} ms, all viewers had their first picture ${Math.round(viewedAt - startedAt)} ms later`,
        `memory: ${Math.round(empty.memoryBytes / MIB)} MiB empty, ${Math.round(started.memoryBytes / MIB)} MiB started, ${Math.round(viewed.memoryBytes / MIB)} MiB viewed, ${Math.round(worked.memoryBytes / MIB)} MiB after work`,
        `CPU: ${cores.toFixed(2)} cores for ${total} strokes, each seen, in ${Math.round(workedAt - viewedAt)} ms`,
        `${arrivals.length} heartbeats, the latest ${Math.max(0, Math.round(latest))} ms late at the hub, ${Math.round(worked.metrics.heartbeatLateMs)} ms late at the agent, whose event loop was held up for ${Math.round(worked.longestDelayMs)} ms at most, busy for ${Math.round(started.longestBusyMs)} ms until all were started, ${Math.round(viewed.longestBusyMs)} ms until all were viewed, ${Math.round(worked.longestBusyMs)} ms in all`,
        `${Math.round(worked.metrics.bytesToViewers / MIB)} MiB to viewers; the machine's cores were asked for ${crowd.toFixed(1)} times over`,
      ].join('\n'),
    );
    expect(worked.metrics.streams).toBe(SESSIONS);
    expect(Math.min(...strokes)).toBeGreaterThan(0);
    // As many as the time has room for: none was left out.
    expect(arrivals.length).toBeGreaterThan((workedAt - beganAt) / (HEARTBEAT_MS + LATE_MS * crowd));
    expect(latest).toBeLessThan(LATE_MS * crowd);
    expect(worked.metrics.heartbeatLateMs).toBeLessThan(LATE_MS * crowd);
  }, 120_000);
});
