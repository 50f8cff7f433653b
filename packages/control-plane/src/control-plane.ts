import type { Server } from 'node:http';
import type { AgentHub, AgentHubOptions, HubCounters } from '@streamspace/hub';
import type { Authenticate } from './auth/own-accounts.js';
import type { TemplateSeed } from './domain/template.js';
import type { ControlPlaneEvent } from './events.js';
import type { HttpMiddleware } from './http/mountable.js';
import type { SiteOptions } from './http/site-options.js';
import type { ViewerCounters } from './http/viewer-counters.js';
import type { Database } from './stores/database.js';

/** What of the hub's timing may be set. */
export type HubTiming = Pick<
  AgentHubOptions,
  | 'heartbeatIntervalMs'
  | 'heartbeatTimeoutMs'
  | 'inventoryIntervalMs'
  | 'ackTimeoutMs'
  | 'sweepIntervalMs'
  | 'commandWindow'
  | 'streamsPerAgent'
  | 'openTimeoutMs'
>;

export interface ControlPlaneOptions extends SiteOptions {
  /** From `/pglite` or `/pg`. It stays the caller's: dispose it after the control plane. */
  database: Database;
  /**
   * Name of this replica: 1 to 253 characters. It must be the same after a restart, and no other replica may have it: a
   * start whose name another replica has waits for `replicaTimeoutMs` at most, then it is refused (`pod_name_in_use`),
   * or goes on where that replica has ended.
   */
  podName: string;
  /**
   * A replica that has not reported to the database for this long is dead, in ms, from 300: its agents' connections
   * count as gone. Replicas report three times within it. It must be the same in every replica.
   *
   * @default 9_000
   */
  replicaTimeoutMs?: number;
  /**
   * Whether no other process can have the database open, as with PGlite in a folder that is locked: then nothing is
   * waited for at the start. @default false
   */
  soleReplica?: boolean;
  /** Gives up the start. Without effect once `createControlPlane` has resolved. */
  signal?: AbortSignal;
  /** Signs access tokens: at least 32 characters, the same in every replica. */
  jwtSecret: string;
  /** Keys the hashes of agent keys. Changing it makes every agent key invalid. @default derived from jwtSecret */
  agentKeySecret?: string;
  /**
   * Says who sends a request, where the application keeps the accounts: asked at each request that needs a user, with
   * a signal that aborts after 10 s. `undefined` and `null` are answered with 401. A user appears at the first request, and is found by
   * `issuer` and `subject` later; a name that another user has is refused. `request` is as the application's own
   * middleware has left it (`request.user`, for example).
   *
   * With it there is no set-up and no login of ours. As cookies may say who it is, requests that change something are
   * refused where their Origin is neither the own one nor in `allowedOrigins`; requests without an Origin do not come
   * from a page. What it throws is
   * answered with 500 and reported.
   *
   * @default users log in with passwords
   */
  authenticate?: Authenticate;
  /** Written to the database at the start, by name; others there are left alone. @default none */
  templates?: readonly TemplateSeed[];
  /**
   * A viewer's connection on which no byte went either way for this long is closed with 4408, in ms; 0 never closes.
   *
   * @default 300_000
   */
  vncIdleTimeoutMs?: number;
  /**
   * Longest wait of a viewer for a session that is still pending, and for its desktop, in ms; then it is closed with
   * 4502. @default 20_000
   */
  viewerWaitMs?: number;
  /**
   * Longest wait of a viewer for the agent of a session that runs, in ms, within `viewerWaitMs`; then it is closed with
   * 4502. @default 5_000
   */
  viewerAgentWaitMs?: number;
  /**
   * Viewers that one session may have at once on this replica, from 1: counted from when a ticket was taken until the
   * connection is down. One more is closed with 4429. @default 32
   */
  viewersPerSession?: number;
  /**
   * Origins (`https://desk.example`) of other sites whose pages may open viewer connections and use a browser's login,
   * besides the origin of `publicUrl`. Without `publicUrl` that is the host of each request, by `https` or `http` as
   * the request came, and by either where that is not known. Requests without an Origin are not a browser's and pass.
   *
   * @default none
   */
  allowedOrigins?: readonly string[];
  /** How long a command may take before it fails, in ms. @default 120_000 */
  commandTimeoutMs?: number;
  /** Longest wait of a session that was asked for with `waitForCapacity`, in ms; then it fails. @default 300_000 */
  capacityWaitMs?: number;
  /** How many sessions that have not ended a user may have; 0 is unlimited. @default 0 */
  maxSessionsPerUser?: number;
  /**
   * Whose sessions may go to agents that cannot keep sessions apart from each other and from the agent itself
   * (`metadata.isolated` of their registration is not `true`).
   *
   * @default 'admins'
   */
  unisolatedAgents?: 'admins' | 'everyone';
  /** How long what is over is kept, in days, from 1. */
  retention?: {
    /** Commands that have an outcome. @default 7 */
    commandsDays?: number;
    /** Events of sessions. @default 30 */
    eventsDays?: number;
    /** What administrators did, and who logged in. @default 365 */
    auditDays?: number;
  };
  /**
   * Tells why nothing more may be stored, in words for clients; `undefined` while there is room. Asked by `/ready` and
   * before each request that stores something, so it must be cheap: keep its answer for a second. While there is no room,
   * `/ready` and these requests are answered with 503 `storage_full`. Reading, logging in and out, stopping, hibernating
   * and viewing sessions go on. A rejection goes to `onError` and counts as room.
   *
   * @default there is room
   */
  storage?: () => Promise<{ readonly detail: string; readonly remedy: string } | undefined>;
  /**
   * Address of the page of your application that shows a session, for the field `url` of sessions. `mount` is the path
   * under which browsers see the router: `''` at the root, else for example `/vdi`. What it throws goes to `onError`,
   * and `url` is null. @default `url` is null
   */
  pageUrl?: (sessionId: string, mount: string) => string;
  /** Whether the router answers `/health` and `/ready`; `false` leaves both to the host application. @default true */
  probes?: boolean;
  /** Timing and limits of the hub. */
  hub?: HubTiming;
  /** How replicas find each other. @default the hub's memory backend: one replica */
  backend?: NonNullable<AgentHubOptions['backend']>;
  onEvent?: (event: ControlPlaneEvent) => void;
  /** What went wrong where no caller can be told; `where` names the step. */
  onError?: (error: unknown, where: string) => void;
}

/** What this replica has counted since the control plane was made, for metrics. */
export interface ControlPlaneCounters extends HubCounters {
  readonly viewers: ViewerCounters;
}

/**
 * REST, viewers and agents on one HTTP server. Disposing it closes agents' and viewers' connections and detaches it
 * from servers; the servers and the database stay the caller's.
 */
export interface ControlPlane extends AsyncDisposable {
  /**
   * `/health`, `/ready`, `/api/openapi.json`, `/api/v1/…`, and 426 at `/vnc/…`. Mount it in an app of Express 4 or 5 or
   * of Connect, or give it to `createServer`; other paths are passed on, or answered with 404 where there is no app.
   * But for probes and agents, a request for a host that is not one of `hosts` is answered with 421.
   */
  readonly router: HttpMiddleware;
  /**
   * Takes the WebSocket upgrades of agents and viewers on this server. Upgrades to other paths are left to the server's
   * other listeners, or answered with 404 where there are none.
   *
   * An upgrade to something other than a WebSocket (`h2c`) is answered as if it had not asked for it, unless the server
   * has other listeners.
   *
   * @param options.path where the router is mounted, for example `/vdi`. Default: the root. The path of `publicUrl` is
   * taken too.
   */
  attach(server: Server, options?: { path?: string }): void;
  /**
   * For pages of the app that the router is mounted in, which its own check of the Host does not cover: answers requests
   * for a host that is not one of `hosts` with 421, and sends Strict-Transport-Security where browsers come by https.
   * `/health`, `/ready` and `/metrics` answer whatever the Host. Mount it after the router, whose agents may come by
   * other names.
   */
  readonly guard: HttpMiddleware;
  readonly hub: AgentHub;
  /**
   * What this replica has counted since the control plane was made, for metrics: frames of connections that were
   * replaced, commands sent once more, outcomes that came twice, commands that expired; viewers, and how they ended. All
   * but the viewers of now only grow; each call returns a new object. Works after disposal too.
   */
  counters(): ControlPlaneCounters;
  readonly setup: {
    /**
     * A new one-time token for `POST /api/v1/setup`; earlier ones are void, it lasts 24 hours.
     * `undefined` when there is an administrator already, and with `authenticate`.
     */
    issueLink(): Promise<string | undefined>;
  };
  readonly agents: {
    /** A new key for this agent (64 hexadecimal digits), shown only here; the one that it had is void. */
    issueKey(agentId: string): Promise<string>;
  };
}
