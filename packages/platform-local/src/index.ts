export { localPlatform } from './local-platform.js';
export type { LocalPlatformOptions } from './options.js';
export type { XDesktopOptions } from './x/x-options.js';
export type { SessionLimits } from './x/resources.js';
export { builtInDesktopTemplate } from './template.js';
export { missingForXDesktop, xDesktopTemplate } from './x/x-template.js';
export type { LocalPlatformErrorCode } from './error-codes.js';
