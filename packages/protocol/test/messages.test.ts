import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeAgentMessage,
  decodeControlMessage,
  encodeMessage,
  LIMITS,
  ProtocolError,
  type AgentMessage,
  type ControlMessage,
} from '../src/index.js';

const fromAgent: AgentMessage[] = [
  {
    type: 'hello',
    payload: {
      versions: [2],
      instanceId: 'i-1',
      fencingToken: 4,
      platform: 'local',
      region: 'here',
      capacity: { maxSessions: 10, maxCpu: 2.5, maxMemory: 8 },
      running: ['c-1'],
      finished: {
        completed: [{ commandId: 'c-0', result: { state: 'running' } }],
        failed: [{ commandId: 'c-2', error: 'no' }],
      },
    },
  },
  {
    type: 'inventory',
    payload: { position: 3, sessions: [{ sessionId: 's', generation: 1, commandId: 'c', state: 'running' }] },
  },
  { type: 'heartbeat', payload: { status: 'online', activeSessions: 2, capacity: { maxSessions: 0 } } },
  { type: 'ack', payload: { commandId: 'c' } },
  { type: 'complete', payload: { commandId: 'c', result: { state: 'running' } } },
  { type: 'failed', payload: { commandId: 'c', error: 'no image', code: 'image_missing' } },
  { type: 'status', payload: { sessionId: 's', generation: 2, state: 'failed', reason: 'it ended' } },
  {
    type: 'session_event',
    payload: { sessionId: 's', generation: 2, kind: 'idle', message: 'nobody typed', data: { seconds: 60 } },
  },
  { type: 'pong', payload: {} },
  { type: 'error', payload: { code: 'malformed_message', message: 'payload.x must be a number' } },
];

const fromControl: ControlMessage[] = [
  {
    type: 'welcome',
    payload: { version: 2, epoch: 5, heartbeatIntervalMs: 10_000, inventoryIntervalMs: 60_000 },
  },
  {
    type: 'refused',
    payload: { code: 'duplicate_instance', message: 'twice', highestFencingToken: 9, incumbent: 'i-0' },
  },
  {
    type: 'command',
    payload: {
      commandId: 'c',
      action: 'start_session',
      sessionId: 's',
      generation: 1,
      timeoutMs: 120_000,
      payload: { user: 'u' },
    },
  },
  { type: 'cancel', payload: { commandId: 'c', reason: 'late' } },
  { type: 'result_ack', payload: { commandId: 'c' } },
  { type: 'ping', payload: {} },
  { type: 'drain', payload: { reason: 'upgrade' } },
  { type: 'shutdown', payload: {} },
];

describe('control messages', () => {
  it.each(fromAgent.map((message) => [message.type, message] as const))(
    '%s of an agent comes back as sent',
    (_type, message) => {
      expect(decodeAgentMessage(encodeMessage(message))).toEqual(message);
    },
  );

  it.each(fromControl.map((message) => [message.type, message] as const))(
    '%s of a control plane comes back as sent',
    (_type, message) => {
      expect(decodeControlMessage(encodeMessage(message))).toEqual(message);
    },
  );

  it('hold an inventory of as many sessions as a list may have', () => {
    const sessions = Array.from({ length: LIMITS.listEntries }, (_, i) => ({
      sessionId: `built-in-desktop-${i}`.padEnd(63, 'x'),
      generation: i,
      commandId: '00000000-0000-4000-8000-000000000000',
      state: 'hibernated' as const,
    }));
    const message: AgentMessage = { type: 'inventory', payload: { position: 0, sessions } };
    expect(decodeAgentMessage(encodeMessage(message))).toEqual(message);
  });

  it('carry an RFC 3339 timestamp', () => {
    expect(JSON.parse(encodeMessage({ type: 'pong', payload: {} }, 0))).toEqual({
      type: 'pong',
      timestamp: '1970-01-01T00:00:00.000Z',
      payload: {},
    });
  });

  it('leave out fields that they do not know', () => {
    const source = JSON.stringify({ type: 'ack', colour: 1, payload: { commandId: 'c', later: true } });
    expect(decodeAgentMessage(source)).toEqual({ type: 'ack', payload: { commandId: 'c' } });
  });

  it.each([
    ['{', 'malformed_message', 'one JSON document'],
    ['[]', 'malformed_message', 'object'],
    ['{"type":1}', 'malformed_message', 'type'],
    ['{"type":"vanish"}', 'unknown_message', 'vanish'],
    ['{"type":"constructor"}', 'unknown_message', 'constructor'],
    ['{"type":"ack"}', 'malformed_message', 'payload.commandId'],
    ['{"type":"ack","payload":{"commandId":""}}', 'malformed_message', '1 to 255'],
    [
      '{"type":"heartbeat","payload":{"status":"away","activeSessions":0}}',
      'malformed_message',
      'online, draining',
    ],
    [
      '{"type":"heartbeat","payload":{"status":"online","activeSessions":-1}}',
      'malformed_message',
      'payload.activeSessions',
    ],
    [
      '{"type":"inventory","payload":{"position":0,"sessions":[{}]}}',
      'malformed_message',
      'payload.sessions[0].sessionId',
    ],
    [
      `{"type":"ack","x":"${'x'.repeat(LIMITS.controlMessageChars)}"}`,
      'message_too_large',
      String(LIMITS.controlMessageChars),
    ],
  ])('%.60s is refused and the error says why', (source, code, part) => {
    expect(() => decodeAgentMessage(source)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(part) as string }),
    );
  });

  it('quote the start of a type that is not known, however long it is', () => {
    const read = (type: string) => () => decodeAgentMessage(JSON.stringify({ type }));
    expect(read('x'.repeat(100_000))).toThrow(`no message type "${'x'.repeat(64)}"`);
    expect(read('x'.repeat(63) + '🖥 and more')).toThrow(`no message type "${'x'.repeat(63)}"`);
  });

  it('have no lone surrogate when they are written, whatever was put into them', () => {
    const result = { 'a\ud83d': ['\udda5', { text: 'a\\ud83d', pair: '🖥' }] };
    const text = encodeMessage({ type: 'complete', payload: { commandId: 'c', result } });
    expect(decodeAgentMessage(text)).toEqual({
      type: 'complete',
      payload: { commandId: 'c', result: { 'a\ufffd': ['\ufffd', { text: 'a\\ud83d', pair: '🖥' }] } },
    });
  });

  it('keep what a free text holds that no database does: whoever stores it makes it fit', () => {
    const source = '{"type":"failed","payload":{"commandId":"c","error":"\\ud83d\\u0000"}}';
    expect(decodeAgentMessage(source)).toMatchObject({ payload: { error: '\ud83d\0' } });
  });

  it('throw nothing but ProtocolError, whatever arrives', () => {
    const types = [...fromAgent, ...fromControl].map(({ type }) => type);
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.jsonValue(), (type, payload) => {
        for (const decode of [decodeAgentMessage, decodeControlMessage])
          try {
            decode(JSON.stringify({ type, payload }));
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
      }),
      { numRuns: 2_000 },
    );
  });
});
