import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createAgent, type AgentMetrics } from '@streamspace/agent-core';
import { localPlatform } from '@streamspace/platform-local';

export interface DesktopsAgentOrders {
  readonly url: string;
  readonly apiKey: string;
  readonly dataFolder: string;
}

/** What the process answers when it is asked anything. */
export interface DesktopsAgentReport {
  readonly metrics: AgentMetrics;
  /** Resident memory in bytes. */
  readonly memoryBytes: number;
  /** CPU time since the process began, in seconds. */
  readonly cpuSeconds: number;
  /** The longest that its event loop was held up, in ms. */
  readonly longestDelayMs: number;
  /** The most CPU time that it used between two turns of its event loop, in ms: the same without what others did. */
  readonly longestBusyMs: number;
}

/** An agent with built-in desktops in a process of its own. */
const orders = JSON.parse(process.argv[2] ?? '{}') as DesktopsAgentOrders;
const delays = monitorEventLoopDelay({ resolution: 10 });
delays.enable();
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
let [last, longestBusyMs] = [cpuMs(), 0];
setInterval(() => {
  const now = cpuMs();
  longestBusyMs = Math.max(longestBusyMs, now - last);
  last = now;
}, 10).unref();
const platform = localPlatform({
  dataFolder: orders.dataFolder,
  xDesktops: false,
  onError: (error, where) => console.error(where, error),
});
const stop = new AbortController();
const agent = createAgent({
  agentId: 'agent-1',
  controlPlaneUrl: orders.url,
  apiKey: orders.apiKey,
  platform,
  // As the local agent's: a start is work of this process.
  parallelCommands: 4,
  onEvent: (event) => {
    // Why a run failed: nothing is lost and nothing is late in one that passes.
    if (event.type === 'disconnected' || event.type === 'heartbeat_late')
      console.error(
        `${JSON.stringify(event)}, held up for ${Math.round(delays.max / 1e6)} ms at most, busy for ${Math.round(longestBusyMs)} ms at most`,
      );
  },
  onError: (error, where) => console.error(where, error),
});
process.on('message', () => {
  process.send?.({
    metrics: agent.metrics(),
    memoryBytes: process.memoryUsage.rss(),
    cpuSeconds: cpuMs() / 1000,
    longestDelayMs: delays.max / 1e6,
    longestBusyMs,
  } satisfies DesktopsAgentReport);
});
process.on('disconnect', () => stop.abort());
await agent.run(stop.signal);
await platform.close?.();
