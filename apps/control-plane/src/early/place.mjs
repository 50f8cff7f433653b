import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { protectFolder } from './folder-access.mjs';

/** What is wrong with the configuration, in one line for the person who wrote it. */
export class ConfigError extends Error {
  constructor(variable, value, problem) {
    super(`${variable}=${value}: ${problem}`);
    this.name = 'ConfigError';
    this.code = 'config_invalid';
    this.variable = variable;
  }
}

/** Where the control plane listens and keeps its data. Empty variables count as absent. */
export function readPlace(env, folder) {
  const port = env.PORT || '8080';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new ConfigError('PORT', port, 'allowed is a whole number from 0 to 65535 (0: any free port)');
  }
  const host = env.HOST || (env.DB_HOST ? '0.0.0.0' : '127.0.0.1');
  if (!/^[A-Za-z0-9.:_-]+$/.test(host)) {
    throw new ConfigError(
      'HOST',
      host,
      'allowed is an address of this machine, for example 127.0.0.1 or 0.0.0.0',
    );
  }
  return {
    host,
    port: Number(port),
    dataFolder: resolve(folder, env.STREAMSPACE_DATA_DIR || '.streamspace'),
  };
}

/** Creates the data folder, for its owner alone, closes the one that is there, or says why it cannot be used. */
export function checkDataFolder(dataFolder) {
  const refuse = (problem) => {
    throw new ConfigError('STREAMSPACE_DATA_DIR', dataFolder, problem);
  };
  try {
    makeFolder(dataFolder, refuse);
    accessSync(dataFolder, constants.R_OK | constants.W_OK | constants.X_OK);
    protectFolder(dataFolder, refuse);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    refuse(`not writable (${error.code}); allowed is a folder that this user may write to`);
  }
}

/** Step by step: where a folder cannot be made, in /proc for example, `recursive` tries for ever. */
function makeFolder(path, refuse) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined) {
    if (!found.isDirectory()) refuse(`${path} is a file; allowed is a folder that this user may write to`);
    return;
  }
  makeFolder(dirname(path), refuse);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process was faster.
    if (error.code !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  }
}

/** Why a socket could not be bound, in words for the person who chose it. */
export function listenError(error, { host, port }) {
  switch (error.code) {
    case 'EADDRINUSE':
      return new ConfigError(
        'PORT',
        port,
        `${host}:${port} is in use by another program; stop that or choose another port, for example PORT=${port === 65_535 ? 8080 : port + 1}`,
      );
    case 'EACCES':
      return new ConfigError(
        'PORT',
        port,
        'this user may not listen there; allowed are the ports from 1024 on',
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      return new ConfigError(
        'HOST',
        host,
        `not an address of this machine (${error.code}); allowed is for example 127.0.0.1 or 0.0.0.0`,
      );
    default:
      return error;
  }
}

/** Rejects with a {@link ConfigError} when the port cannot be had. */
export async function checkPort({ host, port }) {
  const server = createServer();
  try {
    await new Promise((resolved, rejected) => {
      server.once('error', rejected);
      server.listen({ host, port, exclusive: true }, resolved);
    });
  } catch (error) {
    throw listenError(error, { host, port });
  }
  await new Promise((closed) => server.close(closed));
}
