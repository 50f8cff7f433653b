import type { AgentEvent } from '@streamspace/agent-core';
import { describe, expect, it } from 'vitest';
import { describeEvent } from '../src/events.js';
import { createLog, type LogFormat } from '../src/log.js';

const EVENTS: readonly AgentEvent[] = [
  { type: 'campaigning' },
  { type: 'leading', fencingToken: 7 },
  { type: 'registering', agentId: 'local-1' },
  { type: 'registered', agentId: 'local-1' },
  { type: 'connected', agentId: 'local-1', epoch: 7, heartbeatIntervalMs: 10_000 },
  {
    type: 'heartbeat',
    activeSessions: 0,
    capacity: { maxSessions: 100, maxCpu: 100, maxMemory: 256 },
    isFirst: true,
  },
  { type: 'command', commandId: 'c1', action: 'start_session', sessionId: 'desk-1' },
  { type: 'command_done', commandId: 'c1', action: 'start_session', sessionId: 'desk-1', ok: true },
  { type: 'stream', sessionId: 'desk-1', open: true },
  { type: 'session', sessionId: 'desk-1', kind: 'exited', message: 'killed by signal 9' },
  { type: 'disconnected', reason: 'gone', retryInMs: 250 },
];

describe('the agent’s lines', () => {
  it('are those that operators look for', () => {
    expect(EVENTS.flatMap(describeEvent).map(({ text }) => text)).toEqual([
      'Attempting to acquire leader lease',
      'Successfully acquired leader lease (fencing token 7)',
      'This agent is the LEADER',
      'Registering agent with Control Plane',
      'Agent registered successfully with Control Plane',
      'Agent registered successfully: local-1',
      'WebSocket connection established (epoch 7). Heartbeat sent every 10 seconds',
      'Sending heartbeat (capacity: 100 cores, 256GB RAM, 0/100 sessions)',
      'Received start_session command for session desk-1 (c1)',
      'Session desk-1 started successfully (c1)',
      'VNC tunnel initialized for session desk-1',
      'Session desk-1 exited: killed by signal 9',
      'Disconnected: gone; reconnect in 250 ms',
    ]);
  });

  it('say nothing of every heartbeat but the first, unless asked to', () => {
    const again: AgentEvent = {
      type: 'heartbeat',
      activeSessions: 3,
      capacity: { maxSessions: 0 },
      isFirst: false,
    };
    expect(describeEvent(again)).toEqual([
      {
        level: 'debug',
        text: 'Sending heartbeat (capacity: unlimited cores, unlimited RAM, 3/unlimited sessions)',
      },
    ]);
  });
});

describe('the agent’s log', () => {
  const written = (format: LogFormat, level: 'debug' | 'warn' = 'debug') => {
    const lines: string[] = [];
    const now = () => new Date('2030-01-02T03:04:05.678Z');
    return { lines, log: createLog({ level, format, write: (line) => lines.push(line), now }) };
  };

  it('is text for people, a line each', () => {
    const { lines, log } = written('text', 'warn');
    log('info', 'left out');
    log('error', 'first\nINFO: forged');
    expect(lines).toEqual(['ERROR: first INFO: forged\n']);
  });

  it('is JSON for programs, with what the line is about', () => {
    const { lines, log } = written('json');
    log('info', 'Agent ID: local-1', { agentId: 'local-1' });
    expect(lines).toEqual([
      '{"time":"2030-01-02T03:04:05.678Z","level":"info","msg":"Agent ID: local-1","agentId":"local-1"}\n',
    ]);
  });
});
