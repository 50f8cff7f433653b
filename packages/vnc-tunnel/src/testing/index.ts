export { channelPair } from './channel-pair.js';
export { linkPair, type LinkPair } from './link-pair.js';
export { channelContract, type ChannelContractSubject } from './channel-contract.js';
export { tunnelContract, type TunnelContractSubject } from './tunnel-contract.js';
export { openRequest, type TestConnection } from './tunnel-fixture.js';
export type { TestRunner } from './runner.js';
