import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.js';

const KEY = '0123456789abcdef'.repeat(4);
const GOOD = { AGENT_ID: 'local-1', CONTROL_PLANE_URL: 'wss://desk.example', AGENT_API_KEY: KEY };

describe('the agent’s variables', () => {
  it('have defaults where nothing is needed', () => {
    expect(readConfig(GOOD, '/srv')).toEqual({
      agentId: 'local-1',
      controlPlaneUrl: 'wss://desk.example',
      allowInsecureControlPlane: false,
      apiKey: KEY,
      region: undefined,
      labels: {},
      maxSessions: 0,
      maxCpu: 0,
      maxMemory: 0,
      idleAfterMs: 900_000,
      usageIntervalMs: 300_000,
      healthHost: '127.0.0.1',
      healthPort: undefined,
      dataFolder: '/srv/.streamspace',
      xvnc: undefined,
      logLevel: 'info',
      logFormat: 'text',
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
    ['ALLOW_INSECURE_CONTROL_PLANE', 'yes', 'ALLOW_INSECURE_CONTROL_PLANE=yes: allowed are true, false'],
    ['AGENT_API_KEY', 'short', 'AGENT_API_KEY=(not shown): needed; allowed are the 64 hexadecimal digits'],
    ['MAX_SESSIONS', 'many', 'MAX_SESSIONS=many: allowed is a whole number'],
    ['MAX_CPU', '1.5', 'MAX_CPU=1.5: allowed is a whole number from 0 (unlimited)'],
    ['MAX_MEMORY', '-1', 'MAX_MEMORY=-1: allowed is a whole number from 0 (unlimited)'],
    ['STREAMSPACE_IDLE_AFTER', '15', 'STREAMSPACE_IDLE_AFTER=15: allowed are durations such as 90s'],
    ['STREAMSPACE_USAGE_INTERVAL', 'often', 'STREAMSPACE_USAGE_INTERVAL=often: allowed are durations'],
    ['STREAMSPACE_LABELS', 'gpu', 'STREAMSPACE_LABELS=gpu: "gpu" is no label; allowed are pairs'],
    ['HEALTH_PORT', '70000', 'HEALTH_PORT=70000: allowed is a port from 0 (any free one) to 65535'],
    ['LOG_FORMAT', 'xml', 'LOG_FORMAT=xml: allowed are text, json'],
    ['LOG_LEVEL', 'loud', 'LOG_LEVEL=loud: allowed are debug, info, warn, error'],
  ])('%s=%s is refused by name, with what is allowed', (name, value, message) => {
    expect(() => readConfig({ ...GOOD, [name]: value }, '/srv')).toThrow(message);
  });

  it('are read as they are meant', () => {
    const given = { MAX_CPU: '100', MAX_MEMORY: '256', STREAMSPACE_IDLE_AFTER: '1h30m', HEALTH_PORT: '8082' };
    expect(readConfig({ ...GOOD, STREAMSPACE_LABELS: 'gpu=yes, disk=' }, '/srv').labels).toEqual({
      gpu: 'yes',
      disk: '',
    });
    expect(readConfig({ ...GOOD, ...given, LOG_FORMAT: 'JSON' }, '/srv')).toMatchObject({
      maxCpu: 100,
      maxMemory: 256,
      idleAfterMs: 5_400_000,
      healthPort: 8082,
      logFormat: 'json',
    });
  });
});
