export { localPlatform } from './local-platform.js';
export type { LocalPlatformOptions } from './options.js';
export { builtInDesktopTemplate } from './template.js';
