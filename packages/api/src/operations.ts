import type { ApiErrorCode } from './errors.js';

/**
 * Who may call an operation.
 *
 * - `public`: anyone.
 * - `user`: who sends an access token (`Authorization: Bearer …`), or whom an embedding application knows. What belongs
 *   to another user is answered with 404.
 * - `admin`: a user with the role `admin`; other users get 403 `forbidden`.
 * - `agent`: an agent, by its key in `X-Agent-API-Key`.
 * - `ticket`: who has a single-use ticket in the query.
 * - `cookie`: a browser with the refresh cookie, from a page of an allowed origin.
 */
export type OperationAuth = 'public' | 'user' | 'admin' | 'agent' | 'ticket' | 'cookie';

/** What an API token must be allowed to do to call an operation; `null`: no API token may call it. */
export type OperationScope = 'read' | 'sessions' | 'admin' | null;

/** An entry of the audit log that an operation writes. */
export interface AuditRule {
  readonly action: string;
  /** `success`; `refused`: for wrong credentials; `foreign`: on success, for what belongs to another user. */
  readonly when: 'success' | 'refused' | 'foreign';
}

/** One endpoint of the API. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the mount of the router; parameters as `{id}`. */
  readonly path: string;
  readonly auth: OperationAuth;
  readonly scope: OperationScope;
  readonly audit: readonly AuditRule[];
  /** Codes in addition to those that {@link errorsOf} adds for every operation of its kind. */
  readonly errors: readonly ApiErrorCode[];
  /** Status codes of success; the first is the usual one. 101 for an upgrade. */
  readonly success: readonly number[];
  /** What it does, in one sentence. */
  readonly summary: string;
  readonly tag: 'Probes' | 'Setup' | 'Logins' | 'Templates' | 'Sessions' | 'Agents' | 'Audit' | 'API';
  /** The path takes a WebSocket; a plain request is answered with 426 `upgrade_required`. */
  readonly upgrade?: 'websocket';
  /** The list comes in pages: this parameter of the query leads to the next one, in a `Link` header with `rel="next"`. */
  readonly pages?: 'cursor' | 'after' | 'before';
  /** It is carried out while there is no room to store: people need it to make room. */
  readonly makesRoom?: true;
}

const NO_AUDIT = [] as const;
const foreign = <const Action extends string>(action: Action) => [{ action, when: 'foreign' }] as const;

/** Every endpoint, upgrades included. What is not listed here below `/api/v1` does not exist. */
export const OPERATIONS = {
  getHealth: {
    method: 'GET',
    path: '/health',
    auth: 'public',
    scope: null,
    audit: NO_AUDIT,
    errors: [],
    success: [200],
    summary: 'Tells whether the process runs.',
    tag: 'Probes',
  },
  getReadiness: {
    method: 'GET',
    path: '/ready',
    auth: 'public',
    scope: null,
    audit: NO_AUDIT,
    errors: ['storage_full'],
    success: [200],
    summary: 'Tells whether requests can be served now.',
    tag: 'Probes',
  },
  getOpenApi: {
    method: 'GET',
    path: '/api/openapi.json',
    auth: 'public',
    scope: null,
    audit: NO_AUDIT,
    errors: [],
    success: [200],
    summary: 'Gets this API as an OpenAPI 3.1 document.',
    tag: 'API',
  },
  getSetup: {
    method: 'GET',
    path: '/api/v1/setup',
    auth: 'public',
    scope: null,
    audit: NO_AUDIT,
    errors: [],
    success: [200],
    summary: 'Tells whether the first administrator has to be created.',
    tag: 'Setup',
  },
  completeSetup: {
    method: 'POST',
    path: '/api/v1/setup',
    auth: 'public',
    scope: null,
    audit: [{ action: 'admin_created', when: 'success' }],
    errors: ['invalid_field', 'setup_token_invalid', 'setup_done', 'user_exists', 'busy'],
    success: [201],
    summary: 'Creates the first administrator with the token of the setup link, and logs in.',
    tag: 'Setup',
  },
  login: {
    method: 'POST',
    path: '/api/v1/auth/login',
    auth: 'public',
    scope: null,
    audit: [
      { action: 'login', when: 'success' },
      { action: 'login_refused', when: 'refused' },
    ],
    errors: ['invalid_field', 'bad_credentials', 'too_many_attempts', 'busy'],
    success: [200],
    summary: 'Logs in with user name and password, and sets the refresh cookie.',
    tag: 'Logins',
    makesRoom: true,
  },
  refreshLogin: {
    method: 'POST',
    path: '/api/v1/auth/refresh',
    auth: 'cookie',
    scope: null,
    audit: NO_AUDIT,
    errors: ['not_logged_in', 'too_many_attempts'],
    success: [200],
    summary: 'Renews a login by the refresh cookie and the login secret in X-Streamspace-Login.',
    tag: 'Logins',
    makesRoom: true,
  },
  logout: {
    method: 'POST',
    path: '/api/v1/auth/logout',
    auth: 'cookie',
    scope: null,
    audit: NO_AUDIT,
    errors: [],
    success: [204],
    summary: 'Ends the login of the refresh cookie (with its login secret) or of the access token.',
    tag: 'Logins',
    makesRoom: true,
  },
  listTemplates: {
    method: 'GET',
    path: '/api/v1/templates',
    auth: 'user',
    scope: 'read',
    audit: NO_AUDIT,
    errors: [],
    success: [200],
    summary: 'Lists the templates from which sessions can be created.',
    tag: 'Templates',
  },
  listSessions: {
    method: 'GET',
    path: '/api/v1/sessions',
    auth: 'user',
    scope: 'read',
    audit: NO_AUDIT,
    errors: ['invalid_field'],
    success: [200],
    summary:
      'Lists the caller’s sessions, for administrators those of all users: first those that have not ended, then the others, each the newest first.',
    tag: 'Sessions',
    pages: 'cursor',
  },
  createSession: {
    method: 'POST',
    path: '/api/v1/sessions',
    auth: 'user',
    scope: 'sessions',
    audit: foreign('session_created'),
    errors: ['invalid_field', 'forbidden', 'session_exists', 'quota_exceeded', 'no_agents_available'],
    success: [201, 200],
    summary:
      'Creates a session; answers 200 with the existing one where the same id and body were sent before.',
    tag: 'Sessions',
  },
  getSession: {
    method: 'GET',
    path: '/api/v1/sessions/{id}',
    auth: 'user',
    scope: 'read',
    audit: NO_AUDIT,
    errors: ['session_not_found'],
    success: [200],
    summary: 'Gets a session.',
    tag: 'Sessions',
  },
  listSessionEvents: {
    method: 'GET',
    path: '/api/v1/sessions/{id}/events',
    auth: 'user',
    scope: 'read',
    audit: NO_AUDIT,
    errors: ['session_not_found'],
    success: [200],
    summary: 'Lists what happened to a session, the oldest first.',
    tag: 'Sessions',
    pages: 'after',
  },
  stopSession: {
    method: 'POST',
    path: '/api/v1/sessions/{id}/stop',
    auth: 'user',
    scope: 'sessions',
    audit: foreign('session_stopped'),
    errors: ['session_not_found'],
    success: [202],
    summary: 'Stops a session; it passes through terminating to terminated.',
    tag: 'Sessions',
    makesRoom: true,
  },
  deleteSession: {
    method: 'DELETE',
    path: '/api/v1/sessions/{id}',
    auth: 'user',
    scope: 'sessions',
    audit: foreign('session_stopped'),
    errors: ['session_not_found'],
    success: [202],
    summary: 'Stops a session, as stopSession does.',
    tag: 'Sessions',
    makesRoom: true,
  },
  hibernateSession: {
    method: 'POST',
    path: '/api/v1/sessions/{id}/hibernate',
    auth: 'user',
    scope: 'sessions',
    audit: foreign('session_hibernated'),
    errors: ['session_not_found', 'session_state', 'session_ended'],
    success: [202],
    summary: 'Ends what runs in a session and keeps its home.',
    tag: 'Sessions',
    makesRoom: true,
  },
  wakeSession: {
    method: 'POST',
    path: '/api/v1/sessions/{id}/wake',
    auth: 'user',
    scope: 'sessions',
    audit: foreign('session_woken'),
    errors: ['session_not_found', 'session_state', 'session_ended'],
    success: [202],
    summary: 'Starts a hibernated session again, on its home.',
    tag: 'Sessions',
  },
  createTicket: {
    method: 'POST',
    path: '/api/v1/sessions/{id}/tickets',
    auth: 'user',
    scope: 'sessions',
    audit: foreign('session_viewed'),
    errors: ['session_not_found', 'session_ended'],
    success: [201],
    summary: 'Issues a ticket that admits one viewer connection within seconds.',
    tag: 'Sessions',
    makesRoom: true,
  },
  listAgents: {
    method: 'GET',
    path: '/api/v1/agents',
    auth: 'admin',
    scope: 'admin',
    audit: NO_AUDIT,
    errors: [],
    success: [200],
    summary: 'Lists the agents.',
    tag: 'Agents',
  },
  issueAgentKey: {
    method: 'POST',
    path: '/api/v1/admin/agents',
    auth: 'admin',
    scope: 'admin',
    audit: [{ action: 'agent_key_issued', when: 'success' }],
    errors: ['invalid_field'],
    success: [201],
    summary: 'Issues a new key for an agent; an earlier key of the same agent stops working.',
    tag: 'Agents',
  },
  registerAgent: {
    method: 'POST',
    path: '/api/v1/agents/register',
    auth: 'agent',
    scope: null,
    audit: NO_AUDIT,
    errors: ['invalid_field'],
    success: [201, 200],
    summary: 'Registers an agent; 201 the first time.',
    tag: 'Agents',
    makesRoom: true,
  },
  listAudit: {
    method: 'GET',
    path: '/api/v1/admin/audit',
    auth: 'admin',
    scope: 'admin',
    audit: NO_AUDIT,
    errors: ['invalid_field'],
    success: [200],
    summary: 'Lists who logged in and what administrators did, the newest first.',
    tag: 'Audit',
    pages: 'before',
  },
  connectAgent: {
    method: 'GET',
    path: '/api/v1/agents/connect',
    auth: 'agent',
    scope: null,
    audit: NO_AUDIT,
    errors: [],
    success: [101],
    summary: 'Opens the WebSocket of an agent.',
    tag: 'Agents',
    upgrade: 'websocket',
  },
  viewSession: {
    method: 'GET',
    path: '/api/v1/vnc/{sessionId}',
    auth: 'ticket',
    scope: null,
    audit: NO_AUDIT,
    errors: ['origin_not_allowed'],
    success: [101],
    summary: 'Opens a viewer connection: RFB in binary WebSocket messages. Refusals are close codes.',
    tag: 'Sessions',
    upgrade: 'websocket',
  },
  viewSessionShort: {
    method: 'GET',
    path: '/vnc/{sessionId}',
    auth: 'ticket',
    scope: null,
    audit: NO_AUDIT,
    errors: ['origin_not_allowed'],
    success: [101],
    summary: 'Opens a viewer connection, as viewSession does.',
    tag: 'Sessions',
    upgrade: 'websocket',
  },
} as const satisfies Readonly<Record<string, Operation>>;

export type Operations = typeof OPERATIONS;
export type OperationId = keyof Operations;

/** What the audit log calls the actions of the API. */
export type AuditAction = Operations[OperationId]['audit'][number]['action'];

/** The operations that are answered with HTTP, without the upgrades. */
export type RequestId = {
  [Id in OperationId]: Operations[Id] extends { upgrade: string } ? never : Id;
}[OperationId];

const BY_AUTH: Readonly<Record<OperationAuth, readonly ApiErrorCode[]>> = {
  public: [],
  user: ['not_logged_in'],
  admin: ['not_logged_in', 'forbidden'],
  agent: ['agent_key_missing', 'agent_key_invalid'],
  ticket: [],
  cookie: ['origin_not_allowed'],
};
/** A parameter with a broken escape, or with characters that no database stores. */
const OF_PATHS: readonly ApiErrorCode[] = ['bad_request', 'invalid_field'];
const OF_BODIES: readonly ApiErrorCode[] = [
  'malformed_json',
  'bad_request',
  'body_too_large',
  'unsupported_media_type',
];

/** Of which kind a server is. */
export interface ServerKind {
  /** An embedding application keeps the accounts: the operations of {@link LOGIN_TAGS} do not exist. @default false */
  readonly ownAccounts?: boolean;
  /** It answers the operations of the tag `Probes`. @default true */
  readonly probes?: boolean;
}

/** Tags of what a server does not have where an embedding application keeps the accounts. */
export const LOGIN_TAGS: ReadonlySet<Operation['tag']> = new Set(['Setup', 'Logins']);

/** Whether a server of this kind has an operation. */
export const exists = ({ tag }: Operation, { ownAccounts = false, probes = true }: ServerKind): boolean =>
  !(ownAccounts && LOGIN_TAGS.has(tag)) && (probes || tag !== 'Probes');

/** Every code that an operation may answer with: its own, and those of all operations of its kind. */
export function errorsOf(id: OperationId, { ownAccounts = false }: ServerKind = {}): readonly ApiErrorCode[] {
  const operation: Operation = OPERATIONS[id];
  const codes = new Set<ApiErrorCode>([...operation.errors, ...BY_AUTH[operation.auth]]);
  const ofUsers = operation.auth === 'user' || operation.auth === 'admin';
  if (ownAccounts && ofUsers) {
    codes.add('user_exists').add('busy');
    if (operation.method !== 'GET') codes.add('origin_not_allowed');
  }
  const isProbe = operation.tag === 'Probes';
  if (operation.upgrade) codes.add('upgrade_required');
  else if (operation.path.includes('{')) for (const code of OF_PATHS) codes.add(code);
  if (operation.method !== 'GET') for (const code of OF_BODIES) codes.add(code);
  if (!isProbe && operation.auth !== 'agent') codes.add('host_not_allowed');
  if (operation.method !== 'GET' && !operation.makesRoom) codes.add('storage_full');
  codes.add('database_unavailable');
  codes.add('internal');
  return [...codes];
}
