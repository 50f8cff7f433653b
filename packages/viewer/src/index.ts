export { createViewer, type Viewer } from './viewer.js';
export type { ViewerOptions, ViewerUrl } from './options.js';
export type { ViewerStatus } from './status.js';
export type { ViewerStatusCode } from './endings.js';
export { ViewerError, type ViewerErrorCode } from './errors.js';
