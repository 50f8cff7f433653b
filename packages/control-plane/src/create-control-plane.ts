import { createAgentHub, type AgentHub, type HubEvent } from '@streamspace/hub';
import { AccessTokens } from './auth/access-tokens.js';
import { AgentKeys } from './auth/agent-keys.js';
import { OwnAccounts } from './auth/own-accounts.js';
import { Logins } from './auth/logins.js';
import { Passwords } from './auth/passwords.js';
import { deriveKey } from './auth/secrets.js';
import { Setup } from './auth/setup.js';
import { LoginThrottle } from './auth/throttle.js';
import { Tickets } from './auth/tickets.js';
import type { ControlPlane, ControlPlaneOptions } from './control-plane.js';
import type { Wakeups } from './domain/ports.js';
import { Placer } from './domain/placer.js';
import { Reconciler } from './domain/reconciler.js';
import { SessionWaits } from './domain/session-waits.js';
import { StorageRoom } from './domain/storage-room.js';
import { Sessions } from './domain/sessions.js';
import { ControlPlaneError } from './errors.js';
import { keepHouse } from './housekeeping.js';
import { guard } from './http/guard.js';
import { mountable } from './http/mountable.js';
import { apiRouter } from './http/router.js';
import type { Services } from './http/services.js';
import { Site } from './http/site.js';
import { requireRoom } from './http/require-room.js';
import { Upgrades } from './http/upgrades.js';
import { ViewerEndpoint } from './http/viewer-endpoint.js';
import { resolveOptions, type ResolvedOptions } from './options.js';
import { Replica } from './replica.js';
import { DatabaseError } from './stores/database-error.js';
import { extendDeadlines } from './stores/command-queue.js';
import { migrate } from './stores/migrate.js';
import { replicaTiming, type ReplicaTiming } from './stores/replicas.js';
import { deleteOld } from './stores/retention.js';
import { createStores, type Stores } from './stores/stores.js';

/** An agent counts as offline when it was silent for this many times the hub's own limit. */
const STALE_FACTOR = 2;
/** How long the database may take for the answer that says that it is there, in ms. Past it this replica is not ready. */
const READY_MS = 2_000;
const DEFAULT_HEARTBEAT_TIMEOUT_MS = 30_000;

/**
 * Migrates the database, takes the pod name, writes the templates, starts the hub.
 *
 * @throws ControlPlaneError `invalid_option`, `pod_name_in_use`; DatabaseError when the database cannot be migrated; the
 *   signal's reason
 */
export async function createControlPlane(given: ControlPlaneOptions): Promise<ControlPlane> {
  const options = resolveOptions(given);
  const { database, onEvent, onError, podName } = options;
  const waits = new SessionWaits();
  let hub: AgentHub | undefined = undefined;
  let placer: Placer | undefined = undefined;
  const changed = (sessionId: string): void => {
    waits.changed(sessionId);
    placer?.kick();
  };
  const timing = replicaTiming(options.replicaTimeoutMs);
  const stores = createStores({
    database,
    podName,
    replicaTiming: timing,
    commandTimeoutMs: options.commandTimeoutMs,
    staleAfterMs: STALE_FACTOR * (options.hub.heartbeatTimeoutMs ?? DEFAULT_HEARTBEAT_TIMEOUT_MS),
    heldAgents: () => new Set(hub?.agents().map(({ agentId }) => agentId)),
    onSessionChanged: changed,
    onRestored: (agentIds) => {
      onEvent({ type: 'connections_restored', agentIds });
      placer?.kick();
    },
    onError,
  });
  const replica = await prepare(options, stores, timing);

  const wakeups: Wakeups = {
    sessionChanged: changed,
    commandsWaiting: (agentId) => hub?.wake(agentId),
  };
  const room = new StorageRoom(options.storage, onError);
  const reconciler = new Reconciler({ sessions: stores.sessions, wakeups, room, onEvent });
  try {
    hub = startHub(options, stores, reconciler, () => placer?.kick());
  } catch (error) {
    await replica[Symbol.asyncDispose]();
    throw error;
  }
  placer = new Placer({ sessions: stores.sessions, wakeups, room, onEvent, onError });

  const services = createServices(options, stores, wakeups, room);
  const viewers = new ViewerEndpoint({
    services,
    sessions: stores.sessions,
    waits,
    hub,
    idleTimeoutMs: options.vncIdleTimeoutMs,
    waitMs: options.viewerWaitMs,
    agentWaitMs: options.viewerAgentWaitMs,
    viewersPerSession: options.viewersPerSession,
  });
  const upgrades = new Upgrades(services, hub, viewers);
  const stopHousekeeping = keepHouse(
    [
      stores.tickets.deleteExpired,
      stores.logins.deleteExpired,
      stores.agents.copyHeartbeats,
      () => replica.reapUnknown(),
      async () => void (await deleteOld(database, options.retention)),
    ],
    onError,
  );

  let closing: Promise<void> | undefined;
  const close = async (running: AgentHub, placing: Placer): Promise<void> => {
    upgrades.close();
    await placing.close();
    await viewers.close();
    await running[Symbol.asyncDispose]();
    await stopHousekeeping();
    await stores.ownership.close();
    await replica[Symbol.asyncDispose]();
  };
  return {
    router: mountable(
      apiRouter(services, { probes: options.probes, ownAccounts: services.ownAccounts !== undefined }),
    ),
    attach(server, { path = '' } = {}) {
      if (closing) throw new ControlPlaneError('closed', 'the control plane is closed');
      upgrades.attach(server, path);
    },
    guard: mountable(guard(services.site)),
    hub,
    counters: () => ({ ...hub.counters(), viewers: viewers.counters() }),
    setup: { issueLink: async () => (services.ownAccounts ? undefined : services.setup.issueLink()) },
    agents: { issueKey: (agentId) => services.agentKeys.issue(agentId) },
    [Symbol.asyncDispose]: () => (closing ??= close(hub, placer)),
  };
}

/** Migrates, takes the pod name, and only then changes what other replicas use. */
async function prepare(options: ResolvedOptions, stores: Stores, timing: ReplicaTiming): Promise<Replica> {
  const versions = await migrate(options.database);
  if (versions.length > 0) options.onEvent({ type: 'migrated', versions });
  const replica = await Replica.start({
    store: stores.replicas,
    podName: options.podName,
    timing,
    sole: options.soleReplica,
    signal: options.signal,
    onEvent: options.onEvent,
    onError: options.onError,
  });
  try {
    if (options.templates.length > 0) await stores.templates.put(options.templates);
    await extendDeadlines(options.database, Date.now() + options.commandTimeoutMs);
  } catch (error) {
    await replica[Symbol.asyncDispose]();
    throw error;
  }
  return replica;
}

function startHub(
  options: ResolvedOptions,
  stores: Stores,
  reconciler: Reconciler,
  onRoom: () => void,
): AgentHub {
  const { podName, backend, onEvent, onError } = options;
  const onHubEvent = async (event: HubEvent): Promise<void> => {
    switch (event.type) {
      case 'agent_online':
        onRoom();
        return onEvent(event);
      case 'agent_offline':
        return onEvent(event);
      case 'inventory':
        return reconciler.inventory(event);
      case 'session_status':
        return reconciler.status(event);
      case 'session_event':
        if (await stores.events.append(event)) onEvent(event);
    }
  };
  try {
    return createAgentHub({
      ...options.hub,
      podName,
      ownership: stores.ownership,
      commands: stores.commands,
      ...(backend && { backend }),
      onEvent: onHubEvent,
      onError,
    });
  } catch (cause) {
    if (cause instanceof RangeError)
      throw new ControlPlaneError('invalid_option', `hub.${cause.message}`, { cause });
    throw cause;
  }
}

function createServices(
  options: ResolvedOptions,
  stores: Stores,
  wakeups: Wakeups,
  storage: StorageRoom,
): Services {
  const { database, podName, jwtSecret, onEvent, onError } = options;
  const passwords = new Passwords();
  const room = requireRoom(storage);
  const accessTokens = new AccessTokens(jwtSecret);
  const logins = new Logins({
    users: stores.users,
    logins: stores.logins,
    passwords,
    throttle: new LoginThrottle(),
    accessTokens,
    refreshKey: deriveKey(jwtSecret, 'refresh-tokens'),
    onEvent,
  });
  return {
    podName,
    users: stores.users,
    accessTokens,
    ownAccounts:
      options.authenticate &&
      new OwnAccounts({ authenticate: options.authenticate, store: stores.identities }),
    logins,
    setup: new Setup({ users: stores.users, store: stores.setup, passwords, logins, onEvent }),
    sessions: new Sessions({
      sessions: stores.sessions,
      templates: stores.templates,
      wakeups,
      onEvent,
      capacityWaitMs: options.capacityWaitMs,
      maxSessionsPerUser: options.maxSessionsPerUser,
      unisolatedAgents: options.unisolatedAgents,
    }),
    events: stores.events,
    audit: stores.audit,
    templates: stores.templates,
    agents: stores.agents,
    agentKeys: new AgentKeys(stores.agents, deriveKey(options.agentKeySecret, 'agent-keys')),
    tickets: new Tickets(stores.tickets),
    site: new Site(options.site, onEvent),
    pageUrl: options.pageUrl,
    ready: async () => {
      await answersWithin(database, READY_MS);
      await room();
    },
    room,
    onEvent,
    onError,
  };
}

async function answersWithin(database: ResolvedOptions['database'], ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new DatabaseError('timeout', `the database did not answer within ${ms} ms`);
    timer = setTimeout(() => reject(error), ms);
  });
  try {
    await Promise.race([database.query('select 1'), late]);
  } finally {
    clearTimeout(timer);
  }
}
