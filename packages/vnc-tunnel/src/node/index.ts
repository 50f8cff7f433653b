export { webSocketLink } from './web-socket-link.js';
export { webSocketChannel, type CloseWith, type WebSocketChannelOptions } from './web-socket-channel.js';
export { socketChannel } from './socket-channel.js';
export { connectTcp, connectUnix, type ConnectTcpOptions, type ConnectUnixOptions } from './connect.js';
export { clientOptions } from './client-options.js';
