import type { AgentEvent } from '@streamspace/agent-core';
import type { LogLevel } from './config.js';

/** An agent's event as the line that operators of StreamSpace look for. */
export function describeEvent(event: AgentEvent): { level: LogLevel; text: string } {
  switch (event.type) {
    case 'leading':
      return { level: 'debug', text: 'This agent is the LEADER' };
    case 'registered':
      return { level: 'info', text: 'Agent registered successfully with Control Plane' };
    case 'connected':
      return {
        level: 'info',
        text: `WebSocket connection established (epoch ${event.epoch}). Heartbeat sent every ${event.heartbeatIntervalMs / 1000} seconds`,
      };
    case 'disconnected':
      return { level: 'warn', text: `Disconnected: ${event.reason}; reconnect in ${event.retryInMs} ms` };
    case 'command':
      return {
        level: 'info',
        text: `Received ${event.action} command for session ${event.sessionId} (${event.commandId})`,
      };
    case 'command_done':
      return event.ok
        ? { level: 'info', text: `Command ${event.commandId} completed` }
        : { level: 'error', text: `Command ${event.commandId} failed: ${event.detail ?? 'no reason given'}` };
    case 'stream':
      return {
        level: 'info',
        text: `VNC tunnel ${event.open ? 'initialized' : 'closed'} for session ${event.sessionId}`,
      };
  }
}
