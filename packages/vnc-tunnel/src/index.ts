export { createTunnel, type OpenOptions, type Tunnel, type TunnelOptions } from './tunnel.js';
export type { ByteChannel } from './byte-channel.js';
export { joinChannels, type JoinOptions } from './join-channels.js';
export { creditBudget, type CreditBudget, type CreditBudgetOptions } from './credit-budget.js';
export { TunnelError, type TunnelErrorCode } from './errors.js';
export type { TunnelLimits } from './limits.js';
export type { TunnelStats } from './stats.js';

// For implementers of links.
export type { FrameLink, FrameLinkListener } from './frame-link.js';
