export { joinChannels, type ByteChannel } from './byte-channel.js';
