import type { AgentEvent } from '@streamspace/agent-core';
import type { LogLevel } from './log.js';

export interface Line {
  readonly level: LogLevel;
  readonly text: string;
}

type Of<T extends AgentEvent['type']> = Extract<AgentEvent, { type: T }>;

/** An agent's event as the lines that operators of StreamSpace look for; some have none. */
export function describeEvent(event: AgentEvent): readonly Line[] {
  switch (event.type) {
    case 'campaigning':
      return line('debug', 'Attempting to acquire leader lease');
    case 'leading':
      return leading(event);
    case 'leadership_ended':
      return line('debug', `This agent acts no longer: ${event.reason}`);
    case 'registering':
      return line('info', 'Registering agent with Control Plane');
    case 'registered':
      return [
        ...line('info', 'Agent registered successfully with Control Plane'),
        ...line('debug', `Agent registered successfully: ${event.agentId}`),
      ];
    case 'connected':
      return line(
        'info',
        `WebSocket connection established (epoch ${event.epoch}). Heartbeat sent every ${event.heartbeatIntervalMs / 1000} seconds`,
      );
    case 'disconnected':
      return line('warn', `Disconnected: ${event.reason}; reconnect in ${event.retryInMs} ms`);
    case 'moving':
      return line('info', `Moving to another replica of the Control Plane: ${event.reason}; reconnect now`);
    case 'heartbeat':
      return line(event.isFirst ? 'info' : 'debug', `Sending heartbeat (${describeLoad(event)})`);
    case 'heartbeat_late':
      return line(
        'warn',
        `A heartbeat was sent ${event.lateMs} ms late: this machine is busy, or was asleep`,
      );
    case 'command':
      return line(
        'info',
        `Received ${event.action} command for session ${event.sessionId} (${event.commandId})`,
      );
    case 'command_done':
      return commandDone(event);
    case 'session':
      return line(
        event.kind === 'exited' ? 'warn' : 'info',
        `Session ${event.sessionId} ${event.kind}: ${event.message}`,
      );
    case 'stream':
      return line(
        'info',
        `VNC tunnel ${event.open ? 'initialized' : 'closed'} for session ${event.sessionId}${event.detail ? ` (${event.detail})` : ''}`,
      );
    case 'stopping':
      return line('info', STOPPING[event.step]);
  }
}

const STOPPING: Record<Of<'stopping'>['step'], string> = {
  draining: 'Stopping: no command is taken any more',
  flushing: 'Stopping: the Control Plane stores what is left',
  stopped: 'The connection to the Control Plane is closed',
};

const PAST: Record<Of<'command'>['action'], string> = {
  start_session: 'started',
  stop_session: 'stopped',
  hibernate_session: 'hibernated',
  wake_session: 'woken',
};

const line = (level: LogLevel, text: string): readonly Line[] => [{ level, text }];

/** An agent that is alone has no lease that anyone would look for. */
function leading({ fencingToken }: Of<'leading'>): readonly Line[] {
  if (fencingToken === undefined) return line('debug', 'This agent is the LEADER');
  return [
    ...line('info', `Successfully acquired leader lease (fencing token ${fencingToken})`),
    ...line('info', 'This agent is the LEADER'),
  ];
}

function commandDone({
  ok,
  action,
  sessionId,
  commandId,
  code,
  detail,
}: Of<'command_done'>): readonly Line[] {
  if (ok) return line('info', `Session ${sessionId} ${PAST[action]} successfully (${commandId})`);
  return line(
    'error',
    `Command ${action} for session ${sessionId} failed (${commandId}): ${detail ?? 'no reason given'} (${code ?? 'internal'})`,
  );
}

function describeLoad({ capacity, activeSessions }: Of<'heartbeat'>): string {
  const { maxSessions, maxCpu = 0, maxMemory = 0 } = capacity;
  const cores = maxCpu === 0 ? 'unlimited cores' : `${maxCpu} cores`;
  const memory = maxMemory === 0 ? 'unlimited RAM' : `${maxMemory}GB RAM`;
  return `capacity: ${cores}, ${memory}, ${activeSessions}/${maxSessions || 'unlimited'} sessions`;
}
