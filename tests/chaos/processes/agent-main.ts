// An agent on the platform of another process. It is killed at any moment and has nothing to tidy up.
import { createAgent } from '@streamspace/agent-core';
import { socketPlatform } from './socket-platform.js';

const write = (what: string, detail: unknown): void =>
  void process.stdout.write(`${what} ${String(detail)}\n`);

await createAgent({
  agentId: process.env['CHAOS_AGENT_ID']!,
  controlPlaneUrl: process.env['CHAOS_CONTROL_PLANE']!,
  apiKey: process.env['CHAOS_API_KEY']!,
  platform: socketPlatform(process.env['CHAOS_SOCKET']!),
  reconnect: { first: 50, longest: 500 },
  onEvent: (event) => write(event.type, JSON.stringify(event)),
  onError: (error, where) => write(`error, ${where}:`, error),
}).run(new AbortController().signal);
