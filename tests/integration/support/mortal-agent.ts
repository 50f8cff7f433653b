import { createAgent } from '@streamspace/agent-core';
import { recordedPlatform, type ChangeName, type Moment } from './recorded-platform.js';

/** What the process is told: where to dial, where the platform is, and when to die. */
export interface MortalAgentOrders {
  readonly url: string;
  readonly apiKey: string;
  readonly folder: string;
  readonly dieAt: Moment | 'before the report' | 'never';
  readonly during: ChangeName;
}

/** An agent in a process of its own, which ends itself with SIGKILL at one moment of one change. */
const orders = JSON.parse(process.argv[2] ?? '{}') as MortalAgentOrders;
const die = (moment: MortalAgentOrders['dieAt'], what: string): void => {
  // The call does not return: nothing of this process runs after it.
  if (moment === orders.dieAt && what === orders.during) process.kill(process.pid, 'SIGKILL');
};

await createAgent({
  agentId: 'agent-1',
  controlPlaneUrl: orders.url,
  apiKey: orders.apiKey,
  platform: recordedPlatform({ folder: orders.folder, agent: 'first', at: die }),
  onEvent: (event) => {
    // It is told of before the report is sent.
    if (event.type === 'command_done') die('before the report', event.action.replace('_session', ''));
  },
}).run(new AbortController().signal);
