import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createAgent, type AgentEvent } from '@streamspace/agent-core';
import type { ControlPlane, Database } from '@streamspace/control-plane';
import { pgliteDatabase } from '@streamspace/control-plane/pglite';
import { localPlatform } from '@streamspace/platform-local';
import { dialableHost } from './address.js';
import { closeToOthers, lockDataFolder } from './data-lock.js';
import { SHORTEST_SECRET_CHARS } from './config.js';
import { ConfigError } from './early/place.mjs';
import { databaseNotOpened, databaseStopped } from './failure.js';
import { FreeSpace } from './free-space.js';
import { endWhenLost, heldDatabase } from './held-database.js';
import { keepRunning } from './keep-running.js';
import { describeError } from './log.js';
import type { Mode, Start } from './mode.js';
import { X_DESKTOPS_LABEL } from './templates.js';
import { readSecretFile, secretPath, SECRETS_FOLDER, writeSecretFile } from './secret-file.js';
import { xDesktopsHere, xDesktopsNotice } from './x-desktops.js';

/** The agent of this process, as the API shows it. */
const AGENT_ID = 'local';

/** How long the start waits for its own agent, in ms. Past it: a warning, and the agent goes on trying. */
const WAIT_FOR_AGENT_MS = 10_000;

/**
 * Everything in one process and one folder: PGlite in `db`, sessions in `homes` and `sessions`, `secrets` beside them,
 * and an agent for this machine that dials in as any other would.
 */
export async function embeddedMode(start: Start): Promise<Mode> {
  const { config, log, closing, stop } = start;
  const lock = await lockDataFolder(config.dataFolder, {
    signal: stop,
    onWait: (holder) =>
      log.info(
        `Waiting for the data folder: held by pid ${holder.pid} on ${holder.host} since ${holder.since}`,
      ),
  });
  endWhenLost(lock, config.dataFolder);
  closing.add('the lock of the data folder', () => lock.release());
  log.info(`Data folder: ${config.dataFolder}`);
  const closed = closeToOthers(config.dataFolder);
  if (closed.length > 0)
    log.info(`Closed to other users (mode 0700), in the data folder: ${closed.join(', ')}`);

  const startedAt = performance.now();
  const database = heldDatabase(await openDatabase(start), lock);
  closing.add('the database', () => database[Symbol.asyncDispose]());
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  log.info(`Connected to database (PGlite in the data folder, opened in ${seconds} s)`);

  const space = new FreeSpace({
    folders: [config.dataFolder, join(config.dataFolder, 'db')],
    floorBytes: config.minFreeSpaceBytes,
    log,
  });
  await space.shortage();
  return {
    database,
    storage: () => space.shortage(),
    jwtSecret: config.jwtSecret ?? ownSecret(config.dataFolder),
    begin: (controlPlane, port) => beginAgent(start, controlPlane, port),
  };
}

/** What PGlite says of files that it cannot read is for its developers: the person here is told which and what to do. */
async function openDatabase({ config: { dataFolder }, log, fail }: Start): Promise<Database> {
  const folder = join(dataFolder, 'db');
  try {
    return await pgliteDatabase({
      dataFolder: folder,
      onFatal: (error) => fail(databaseStopped(folder, error)),
      onCreating: () => log.info(`Creating the database in ${folder} (first start; takes some seconds)`),
      onSnapshotUnused: (why) => log.debug(`The snapshot for new databases: ${why}`),
    });
  } catch (error) {
    throw new ConfigError('STREAMSPACE_DATA_DIR', dataFolder, databaseNotOpened(folder, error));
  }
}

/** Made at the first start. Another one in its place would void what was made with it, so that is left to a person. */
export function ownSecret(dataFolder: string): string {
  const path = join(dataFolder, SECRETS_FOLDER, 'jwt-secret');
  const refuse = (problem: string): never => {
    throw new ConfigError(
      'STREAMSPACE_DATA_DIR',
      dataFolder,
      `${path} ${problem}; restore it from a backup, or delete it: then everybody logs in anew and every agent needs a new key`,
    );
  };
  let kept: string | undefined;
  try {
    kept = readSecretFile(secretPath(dataFolder, 'jwt-secret'));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    refuse(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
  if (kept !== undefined && kept.length < SHORTEST_SECRET_CHARS)
    refuse(`is damaged (${kept.length} characters, not ${SHORTEST_SECRET_CHARS} or more)`);
  if (kept !== undefined) return kept;
  const made = randomBytes(32).toString('base64url');
  writeSecretFile(path, made);
  return made;
}

/** Starts the agent and resolves once it is connected, or has had its time. */
async function beginAgent(start: Start, controlPlane: ControlPlane, port: number): Promise<void> {
  const { config, log, closing, stop } = start;
  const xDesktops = xDesktopsHere(config);
  const platform = localPlatform({
    dataFolder: config.dataFolder,
    xDesktops,
    onError: (error, where) => log.error(`Local desktop, ${where}: ${describeError(error)}`),
  });
  closing.add('the local platform', () => platform.close?.());

  if (xDesktops) log.info(xDesktopsNotice(config));

  const ending = new AbortController();
  const waiting = new AbortController();
  const running = keepRunning({
    key: await agentKey(config.dataFolder, controlPlane),
    newKey: () => newAgentKey(config.dataFolder, controlPlane),
    signal: ending.signal,
    onEnd: (error, pauseMs) =>
      log.error(`The local agent has stopped: ${describeError(error)}; again in ${pauseMs / 1000} s`),
    run: (apiKey) =>
      createAgent({
        agentId: AGENT_ID,
        apiKey,
        controlPlaneUrl: `ws://${dialableHost(config.host)}:${port}`,
        // An address of this machine, whatever its name: what is sent there does not leave it.
        allowInsecureControlPlane: true,
        platform,
        region: 'local',
        ...(xDesktops && { labels: X_DESKTOPS_LABEL }),
        // Desktops start in this process: more at once would only make each of them slower.
        parallelCommands: 4,
        onEvent: (event) => {
          if (event.type === 'connected') waiting.abort();
          logAgentEvent(event, start);
        },
        onError: (error, where) => log.error(`Local agent, ${where}: ${describeError(error)}`),
      }).run(ending.signal),
  });
  closing.add('the local agent', () => {
    ending.abort();
    return running;
  });

  await aborted(AbortSignal.any([waiting.signal, stop, AbortSignal.timeout(WAIT_FOR_AGENT_MS)]));
  if (waiting.signal.aborted) log.info(`Agent ${AGENT_ID} connected; desktops run on this machine`);
  else if (!stop.aborted)
    log.warn(`Agent ${AGENT_ID} did not connect within ${WAIT_FOR_AGENT_MS / 1000} s; it goes on trying`);
}

async function agentKey(dataFolder: string, controlPlane: ControlPlane): Promise<string> {
  return readSecretFile(secretPath(dataFolder, 'agent-key')) || (await newAgentKey(dataFolder, controlPlane));
}

async function newAgentKey(dataFolder: string, controlPlane: ControlPlane): Promise<string> {
  const key = await controlPlane.agents.issueKey(AGENT_ID);
  writeSecretFile(secretPath(dataFolder, 'agent-key'), key);
  return key;
}

function logAgentEvent(event: AgentEvent, { log, stop }: Start): void {
  if (event.type === 'disconnected' && !stop.aborted)
    log.warn(`Local agent disconnected (${event.reason}); reconnect in ${event.retryInMs} ms`);
  else if (event.type === 'heartbeat_late')
    log.warn(`Local agent: a heartbeat was ${event.lateMs} ms late; this machine is busy`);
  else if (event.type === 'session') log.info(`Session ${event.sessionId}, ${event.kind}: ${event.message}`);
  else if (event.type === 'command_done' && !event.ok)
    log.warn(
      `Local agent could not carry out command ${event.commandId}: ${event.detail ?? 'no reason given'}`,
    );
  else log.debug(`Local agent: ${JSON.stringify(event)}`);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
