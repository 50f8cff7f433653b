export {
  createClient,
  type CallOptions,
  type Client,
  type EventsOptions,
  type PageOptions,
} from './client.js';
export type { ClientOptions } from './options.js';
export { webStorageLogins, type LoginStore, type StoredLogin, type TextStorage } from './login-store.js';
export { ApiError, type ApiErrorFields, type ClientErrorCode } from './errors.js';
export type {
  AgentInfo,
  AgentKey,
  Login,
  NewSession,
  Session,
  SessionEvent,
  SessionState,
  Template,
  Ticket,
  User,
  ViewerMode,
} from '@streamspace/api';
