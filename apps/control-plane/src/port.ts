import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Config } from './config.js';
import { lockDataFolder } from './data-lock.js';
import { listenError } from './early/place.mjs';
import type { Start } from './mode.js';

/**
 * Listens on the port that was asked for; resolves with its number.
 *
 * In embedded mode a port in use may be that of the process that uses the same data folder: then that one is waited
 * for or named, as without the conflict. Where there is no such process, nothing of the data folder is touched.
 *
 * @throws ConfigError for what a person can mend
 */
export async function takePort(
  server: Server,
  { config, log, stop }: Pick<Start, 'config' | 'log' | 'stop'>,
): Promise<number> {
  try {
    return await listen(server, config);
  } catch (error) {
    if (!isInUse(error) || config.externalDatabase || !existsSync(join(config.dataFolder, 'lock')))
      throw listenError(error as NodeJS.ErrnoException, config);
  }
  const lock = await lockDataFolder(config.dataFolder, {
    signal: stop,
    onWait: ({ pid, host, since }) =>
      log.info(
        `Port ${config.port} is in use; waiting for the data folder: held by pid ${pid} on ${host} since ${since}`,
      ),
  });
  lock.release();
  try {
    return await listen(server, config);
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, config);
  }
}

async function listen(server: Server, { host, port }: Pick<Config, 'host' | 'port'>): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

const isInUse = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
