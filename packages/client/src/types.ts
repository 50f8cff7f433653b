import type { SessionState } from '@streamspace/protocol';

/* Bodies as they are on the wire: names in snake_case, times in RFC 3339 (UTC). */

/** Somebody who can log in. */
export interface User {
  readonly id: string;
  readonly username: string;
  /** `admin` may see everything; other names see their own sessions. */
  readonly role: string;
}

/** Answer to setup, login and refresh. */
export interface Login {
  /** The access token. The client keeps and sends it; nobody else needs it. */
  readonly token: string;
  readonly expires_at: string;
  readonly user: User;
  /** Id of the login; absent from servers of before 0008_login_secrets. */
  readonly login_id?: string;
  /** At setup and login only. The client keeps it and sends it with each refresh as `X-Streamspace-Login`. */
  readonly login_secret?: string;
}

/** Something to start a session from. */
export interface Template {
  readonly name: string;
  readonly display_name: string;
  readonly description: string;
  readonly app_type: string;
  readonly platform: string;
}

/** A process that runs sessions somewhere. */
export interface AgentInfo {
  readonly agent_id: string;
  readonly platform: string;
  /** `online`, `offline`, `draining`, …. */
  readonly status: string;
  readonly region: string | null;
  readonly last_heartbeat: string | null;
  readonly capacity: {
    /** 0 means unlimited. */
    readonly max_sessions: number;
    readonly current_sessions: number;
  };
}

/** A new key of an agent. It is shown this once. */
export interface AgentKey {
  readonly agent_id: string;
  readonly api_key: string;
}

export type { SessionState };

/** A desktop or app of one user. */
export interface Session {
  /** A DNS label. */
  readonly id: string;
  /** Name of the owner. */
  readonly user: string;
  readonly template: string;
  readonly state: SessionState;
  readonly platform: string | null;
  readonly agent_id: string | null;
  /** Grows with each re-creation. */
  readonly generation: number;
  /** Path of the page that shows it, relative to the server. */
  readonly url: string;
  /** Why it failed, for state `failed`. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly created_at: string;
  readonly updated_at: string;
}

/** An entry of a session's timeline. */
export interface SessionEvent {
  readonly kind: string;
  /** A sentence for people. */
  readonly message: string;
  readonly generation: number;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly at: string;
}

/** What to start. With an `id` of one's own, asking twice with the same body starts one session. */
export interface NewSession {
  /** Name of a template. */
  readonly template: string;
  /** For whom. @default whoever is logged in; another name needs an admin */
  readonly user?: string;
  /** A DNS label. @default the server makes one up */
  readonly id?: string;
  readonly state?: 'running';
  /** Run it on such an agent only. @default the template's */
  readonly platform?: string;
}

/** What a viewer may do: `control` sends input, `view` only looks. */
export type ViewerMode = 'control' | 'view';

/** Admits one viewer connection, once, within seconds. */
export interface Ticket {
  readonly ticket: string;
  readonly expires_at: string;
}
