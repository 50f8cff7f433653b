export { createTunnel, type OpenOptions, type Tunnel, type TunnelOptions } from './tunnel.js';
export { joinChannels, type ByteChannel } from './byte-channel.js';
export { TunnelError, type TunnelErrorCode } from './errors.js';
export type { TunnelLimits } from './limits.js';

// For implementers of links.
export type { FrameLink, FrameLinkListener } from './frame-link.js';
