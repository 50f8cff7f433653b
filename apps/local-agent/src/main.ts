import { createAgent } from '@streamspace/agent-core';
import { localPlatform } from '@streamspace/platform-local';
import { ConfigError, readConfig, type Config } from './config.js';
import { describeEvent } from './events.js';
import { startHealthServer, type HealthServer } from './health-server.js';
import { createLog } from './log.js';
import { X_DESKTOPS_LABEL, xDesktopsHere } from './x-desktops.js';

/** Starts that are under way at once: they are work of this machine, and of this process where desktops are built in. */
const PARALLEL_COMMANDS = 4;

/** Resolves after a stop that was asked for; rejects when trying again cannot help. */
async function main(config: Config): Promise<void> {
  const log = createLog({
    level: config.logLevel,
    format: config.logFormat,
    write: (line) => void process.stdout.write(line),
  });
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort());

  const { agentId } = config;
  log('info', `Agent ID: ${agentId}`, { agentId });
  const onError = (error: unknown, where: string) =>
    log('error', `${where}: ${error instanceof Error ? error.message : String(error)}`, { agentId, where });
  const xDesktops = xDesktopsHere(config.xvnc);
  const platform = localPlatform({ dataFolder: config.dataFolder, xDesktops, onError });
  if (xDesktops)
    log('warn', `X desktops run as this agent's user, with access to all of its files`, { agentId });
  const agent = createAgent({
    agentId,
    controlPlaneUrl: config.controlPlaneUrl,
    allowInsecureControlPlane: config.allowInsecureControlPlane,
    apiKey: config.apiKey,
    platform,
    capacity: { maxSessions: config.maxSessions, maxCpu: config.maxCpu, maxMemory: config.maxMemory },
    ...(config.region !== undefined && { region: config.region }),
    labels: { ...(xDesktops && X_DESKTOPS_LABEL), ...config.labels },
    parallelCommands: PARALLEL_COMMANDS,
    idleAfterMs: config.idleAfterMs,
    usageIntervalMs: config.usageIntervalMs,
    onEvent: (event) => {
      for (const { level, text } of describeEvent(event)) log(level, text, { agentId, event });
    },
    onError,
  });
  const { healthPort } = config;
  const probes = healthPort === undefined ? undefined : await startProbes(config, agent, healthPort);
  if (probes) log('info', `Probes on http://${config.healthHost}:${probes.port}/health, /ready and /metrics`);
  try {
    await agent.run(stop.signal);
  } finally {
    await platform.close?.();
    await probes?.[Symbol.asyncDispose]();
  }
  log('info', 'Stopped', { agentId });
}

async function startProbes(
  { healthHost }: Config,
  agent: ReturnType<typeof createAgent>,
  port: number,
): Promise<HealthServer> {
  try {
    return await startHealthServer({ agent, host: healthHost, port });
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ConfigError('HEALTH_PORT', String(port), `cannot listen on ${healthHost}:${port} (${why})`);
  }
}

// What this process writes is for its own user. Programs of sessions are given a umask of their own.
process.umask(0o077);
try {
  await main(readConfig(process.env, process.cwd()));
  process.exit(0);
} catch (error) {
  process.stderr.write(`ERROR: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
