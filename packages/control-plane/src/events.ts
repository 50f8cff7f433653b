/** What the control plane tells whoever runs it, for logs and counters. Nothing in it is secret. */
export type ControlPlaneEvent =
  | { readonly type: 'migrated'; readonly versions: readonly string[] }
  | {
      /** The start waits until it is certain whether the replica that has its pod name runs, for `limitMs` at most. */
      readonly type: 'pod_name_awaited';
      readonly podName: string;
      readonly bootId: string;
      readonly startedAt: Date;
      readonly silentMs: number;
      readonly limitMs: number;
    }
  | {
      /** Connections of agents count as gone, because the replica that held them does not run any more. */
      readonly type: 'connections_forgotten';
      /** `null` where none was written. */
      readonly podName: string | null;
      /** `undefined`: of a version that writes none; those are judged by their agents' heartbeats. */
      readonly bootId: string | undefined;
      readonly count: number;
    }
  | {
      /** Agents that are connected here had rows that said otherwise. A heartbeat of each has put that right. */
      readonly type: 'connections_restored';
      readonly agentIds: readonly string[];
    }
  | { readonly type: 'agent_online'; readonly agentId: string; readonly epoch: number }
  | {
      readonly type: 'agent_offline';
      readonly agentId: string;
      readonly epoch: number;
      readonly reason: string;
    }
  | {
      readonly type: 'agent_registered';
      readonly agentId: string;
      readonly platform: string;
      readonly region: string | undefined;
    }
  | { readonly type: 'agent_refused'; readonly agentId: string; readonly code: string }
  | {
      /** The first request with headers of a proxy that `trustProxy` does not name. Told once. */
      readonly type: 'forwarded_header_ignored';
      readonly header: 'X-Forwarded-For' | 'X-Forwarded-Proto';
      /** Address of the peer that sent it; `undefined` for a Unix socket. */
      readonly peer: string | undefined;
      /** Whether `trustProxy` names any proxy. */
      readonly isTrustSet: boolean;
    }
  | {
      /** A request for a host that is not one of this server's. Told once a minute for each host. */
      readonly type: 'host_refused';
      /** As it was sent, cut to 200 characters; `''` where there was none. */
      readonly host: string;
      readonly detail: string;
      /** Refused requests since the event before that no event names, as there were too many; absent where none. */
      readonly unnamed?: number;
    }
  | {
      /** A page that may not use a browser's login, or renew it. Told once a minute for each origin. */
      readonly type: 'origin_refused';
      /** As it was sent, cut to 200 characters; `none` where there was none. */
      readonly origin: string;
      /** What is allowed, and which settings change it. */
      readonly detail: string;
      /** Refused requests since the event before that no event names, as there were too many; absent where none. */
      readonly unnamed?: number;
    }
  | {
      /**
       * A request to a path of WebSockets that asks for no upgrade: a proxy in front may not pass it on. Told once a
       * minute for each endpoint.
       */
      readonly type: 'upgrade_missing';
      readonly endpoint: 'agent' | 'viewer';
      /** As it was sent, without the query, cut to 200 characters. */
      readonly path: string;
      /** What is missing, and what a proxy has to pass on. */
      readonly detail: string;
    }
  | { readonly type: 'admin_created'; readonly username: string }
  | { readonly type: 'login'; readonly username: string }
  | { readonly type: 'login_refused'; readonly username: string; readonly code: string }
  | {
      /**
       * A refresh cookie came without the secret of its login: somebody may have copied it. The login is unharmed.
       * At most one in ten minutes for each login.
       */
      readonly type: 'refresh_refused';
      readonly username: string;
      readonly loginId: string;
    }
  | {
      readonly type: 'session_created';
      readonly sessionId: string;
      readonly user: string;
      readonly agentId: string;
    }
  | {
      /** No agent can take the session now; it waits for one. */
      readonly type: 'session_waiting';
      readonly sessionId: string;
      readonly user: string;
    }
  | {
      /** A session that waited has got an agent, or has waited for too long: then there is none. */
      readonly type: 'session_placed';
      readonly sessionId: string;
      readonly user: string;
      readonly agentId: string | null;
    }
  | { readonly type: 'session_hibernating'; readonly sessionId: string; readonly user: string }
  | { readonly type: 'session_waking'; readonly sessionId: string; readonly user: string }
  | { readonly type: 'session_stopping'; readonly sessionId: string; readonly user: string }
  | {
      /** The reconciler changed something, because agent and database did not agree. */
      readonly type: 'session_reconciled';
      readonly sessionId: string;
      readonly agentId: string;
      readonly action: 'restarted' | 'stop_sent' | 'terminated' | 'failed' | 'hibernated' | 'kept_running';
      readonly reason: string;
    }
  | {
      /** Sessions that the agent must start again, which waits until there is room to store. `reason` says where. */
      readonly type: 'restarts_postponed';
      readonly agentId: string;
      readonly sessionIds: readonly string[];
      readonly reason: string;
    }
  | {
      /** Sessions that an agent holds and the database does not know. They are left alone. */
      readonly type: 'sessions_unknown';
      readonly agentId: string;
      readonly sessionIds: readonly string[];
    }
  | {
      /** An agent tells of something that happened in a session, for example that it is idle. */
      readonly type: 'session_event';
      readonly agentId: string;
      readonly epoch: number;
      readonly sessionId: string;
      readonly generation: number;
      readonly kind: string;
      readonly message: string;
      readonly data?: Readonly<Record<string, unknown>>;
    }
  | {
      readonly type: 'viewer_connected';
      readonly sessionId: string;
      readonly user: string;
      readonly mode: 'control' | 'view';
      readonly address?: string;
    }
  | {
      readonly type: 'viewer_disconnected';
      readonly sessionId: string;
      readonly user: string;
      readonly mode: 'control' | 'view';
      readonly address?: string;
      /**
       * WebSocket close code that the viewer was sent, and its reason; 1000 where the viewer closed, 1006 where it went
       * without a word. Messages that are no WebSocket's or too large (1002, 1007, 1009) are closed without a reason.
       */
      readonly code: number;
      readonly reason: string;
      readonly bytesToViewer: number;
      readonly bytesFromViewer: number;
      readonly durationMs: number;
    }
  | {
      readonly type: 'viewer_refused';
      /**
       * As it was asked for: until its ticket is found good, a viewer may say anything. `undefined` where it can be no
       * session's.
       */
      readonly sessionId: string | undefined;
      readonly address?: string;
      /** WebSocket close code, or the HTTP status of an upgrade that was refused (403: its origin, 421: its host). */
      readonly code: number;
      readonly reason: string;
    };
