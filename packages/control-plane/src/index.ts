export { createControlPlane } from './create-control-plane.js';
export type { ControlPlane, ControlPlaneCounters, ControlPlaneOptions, HubTiming } from './control-plane.js';
export { siteProblems, type SiteOptions } from './http/site-options.js';
export type { ControlPlaneEvent } from './events.js';
export type { ViewerCounters } from './http/viewer-counters.js';
export { ControlPlaneError, type ControlPlaneErrorCode } from './errors.js';
export type { TemplateSeed } from './domain/template.js';
export type { Database, Queryable, QueryResult, Row } from './stores/database.js';
export { DatabaseError, type DatabaseErrorCode } from './stores/database-error.js';
