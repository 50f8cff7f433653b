import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.js';
import { describeEvent } from '../src/events.js';

const KEY = '0123456789abcdef'.repeat(4);
const GOOD = { AGENT_ID: 'local-1', CONTROL_PLANE_URL: 'wss://desk.example', AGENT_API_KEY: KEY };

describe('the agent’s variables', () => {
  it('have defaults where nothing is needed', () => {
    expect(readConfig(GOOD, '/srv')).toEqual({
      agentId: 'local-1',
      controlPlaneUrl: 'wss://desk.example',
      apiKey: KEY,
      region: undefined,
      maxSessions: 0,
      dataFolder: '/srv/.streamspace',
      logLevel: 'info',
    });
  });

  it.each([
    ['AGENT_ID', '', 'AGENT_ID=: needed'],
    ['AGENT_ID', 'a b', 'AGENT_ID=a b: needed; allowed are up to 255 letters'],
    [
      'CONTROL_PLANE_URL',
      'desk.example',
      'CONTROL_PLANE_URL=desk.example: needed; allowed is a wss or ws URL',
    ],
    ['AGENT_API_KEY', 'short', 'AGENT_API_KEY=(not shown): needed; allowed are the 64 hexadecimal digits'],
    ['MAX_SESSIONS', 'many', 'MAX_SESSIONS=many: allowed is a whole number'],
    ['LOG_LEVEL', 'loud', 'LOG_LEVEL=loud: allowed are debug, info, warn, error'],
  ])('%s=%s is refused by name, with what is allowed', (name, value, message) => {
    expect(() => readConfig({ ...GOOD, [name]: value }, '/srv')).toThrow(message);
  });
});

describe('the agent’s lines', () => {
  it('are those that operators look for', () => {
    const texts = [
      describeEvent({ type: 'registered', agentId: 'local-1' }),
      describeEvent({ type: 'connected', agentId: 'local-1', epoch: 7, heartbeatIntervalMs: 10_000 }),
      describeEvent({ type: 'command', commandId: 'c1', action: 'start_session', sessionId: 'desk-1' }),
      describeEvent({ type: 'stream', sessionId: 'desk-1', open: true }),
      describeEvent({ type: 'disconnected', reason: 'gone', retryInMs: 250 }),
    ].map(({ text }) => text);
    expect(texts).toEqual([
      'Agent registered successfully with Control Plane',
      'WebSocket connection established (epoch 7). Heartbeat sent every 10 seconds',
      'Received start_session command for session desk-1 (c1)',
      'VNC tunnel initialized for session desk-1',
      'Disconnected: gone; reconnect in 250 ms',
    ]);
  });
});
