export { createControlPlane } from './create-control-plane.js';
export type { ControlPlane, ControlPlaneOptions, HubTiming } from './control-plane.js';
export type { ControlPlaneEvent } from './events.js';
export { ControlPlaneError, type ControlPlaneErrorCode } from './errors.js';
export type { TemplateSeed } from './domain/template.js';
export type { Database, Queryable, QueryResult, Row } from './stores/database.js';
export { DatabaseError, type DatabaseErrorCode } from './stores/database-error.js';
