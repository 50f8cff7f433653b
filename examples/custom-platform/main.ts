/**
 * An agent that gives out the machines named in MACHINES, as in `lab-1=10.0.0.11:5900,lab-2=10.0.0.12:5900`.
 *
 * AGENT_ID, AGENT_API_KEY and CONTROL_PLANE_URL say who it is and where it dials in.
 */
import { createAgent } from '@streamspace/agent-core';
import { machinePool, type Machine } from './platform.js';

function setting(name: string): string {
  const value = process.env[name];
  if (value) return value;
  console.error(`${name} is not set`);
  process.exit(1);
}

const machines: Record<string, Machine> = {};
for (const entry of setting('MACHINES').split(',')) {
  const [, name, host, port] = /^([a-z0-9-]+)=([^:]+):(\d+)$/.exec(entry) ?? [];
  if (!name || !host) throw new Error(`MACHINES has ${entry}; it must be <name>=<host>:<port>`);
  machines[name] = { host, port: Number(port) };
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

const agentId = setting('AGENT_ID');
const platform = machinePool(machines, process.env['CLAIMS'] ?? 'claims', agentId);
const agent = createAgent({
  agentId,
  apiKey: setting('AGENT_API_KEY'),
  controlPlaneUrl: setting('CONTROL_PLANE_URL'),
  // For ws:// and http:// to another host, on a network that is trusted with the key.
  allowInsecureControlPlane: process.env['ALLOW_INSECURE_CONTROL_PLANE'] === 'true',
  platform,
  capacity: { maxSessions: Object.keys(machines).length },
  onEvent: (event) => console.log(JSON.stringify(event)),
  onError: (error, where) => console.error(`${where}: ${String(error)}`),
});
await agent.run(stop.signal);
await platform.close?.();
