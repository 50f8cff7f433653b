import { createAgent } from '@streamspace/agent-core';
import { localPlatform } from '@streamspace/platform-local';
import { readConfig, type Config, type LogLevel } from './config.js';
import { describeEvent } from './events.js';

const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Resolves after a stop that was asked for; rejects when trying again cannot help. */
async function main(config: Config): Promise<void> {
  const log = (level: LogLevel, text: string) => {
    if (ORDER.indexOf(level) < ORDER.indexOf(config.logLevel)) return;
    process.stdout.write(`${level.toUpperCase()}: ${text.replace(/\p{Cc}+/gu, ' ')}\n`);
  };
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort());

  log('info', `Agent ID: ${config.agentId}`);
  const onError = (error: unknown, where: string) =>
    log('error', `${where}: ${error instanceof Error ? error.message : String(error)}`);
  const platform = localPlatform({ dataFolder: config.dataFolder, onError });
  const agent = createAgent({
    agentId: config.agentId,
    controlPlaneUrl: config.controlPlaneUrl,
    apiKey: config.apiKey,
    platform,
    capacity: { maxSessions: config.maxSessions },
    ...(config.region !== undefined && { region: config.region }),
    onEvent: (event) => {
      const { level, text } = describeEvent(event);
      log(level, text);
    },
    onError,
  });
  log('info', `Registering agent with Control Plane ${config.controlPlaneUrl}`);
  try {
    await agent.run(stop.signal);
  } finally {
    await platform.close?.();
  }
  log('info', 'Stopped');
}

try {
  await main(readConfig(process.env, process.cwd()));
  process.exit(0);
} catch (error) {
  process.stderr.write(`ERROR: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
