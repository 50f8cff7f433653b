import { randomUUID } from 'node:crypto';
import {
  decodeControlMessage,
  encodeMessage,
  SUBPROTOCOL_V2,
  type AgentMessage,
  type InventoryEntry,
} from '@streamspace/protocol';
import { WebSocket } from 'ws';

export interface RebootedAgent extends AsyncDisposable {
  readonly connections: number;
  /** How connections ended that this side did not end. */
  readonly closes: readonly { code: number; reason: string }[];
  /** Sessions that were started, in order: one that is started twice is there twice. */
  readonly starts: readonly string[];
  /** What it holds. */
  readonly held: readonly InventoryEntry[];
  /** Sessions that were started in a new generation while they ran here. */
  readonly restartedWhileHeld: readonly string[];
  /** All that it held is gone, and its connection with it. It dials again. */
  reboot(): void;
}

/**
 * An agent that begins with nothing and does at once what it is told. It says so in the same turn of the event loop in
 * which it hears of it, and it dials again when its connection ends.
 */
export function rebootedAgent(options: {
  url: string;
  agentId: string;
  key: string;
  /** Whether it acknowledges commands. */
  acknowledges?: boolean;
}): RebootedAgent {
  const { url, agentId, key, acknowledges = true } = options;
  const closes: { code: number; reason: string }[] = [];
  const starts: string[] = [];
  const restartedWhileHeld: string[] = [];
  let held = new Map<string, InventoryEntry>();
  let instanceId = randomUUID();
  let connections = 0;
  let socket: WebSocket;
  let status: 'running' | 'stopped' = 'running';
  let ended: Promise<void> = Promise.resolve();

  const dial = (): void => {
    let position = 0;
    const own = new WebSocket(`${url}/api/v1/agents/connect?agent_id=${agentId}`, SUBPROTOCOL_V2, {
      headers: { 'x-agent-api-key': key },
    });
    socket = own;
    const say = (message: AgentMessage): void => {
      if (own.readyState === WebSocket.OPEN) own.send(encodeMessage(message));
    };
    own.on('open', () => {
      say({
        type: 'hello',
        payload: {
          versions: [2],
          instanceId,
          platform: 'local',
          capacity: { maxSessions: 0 },
          running: [],
          finished: { completed: [], failed: [] },
        },
      });
    });
    own.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) return;
      const message = decodeControlMessage(data.toString());
      if (message.type === 'welcome') {
        connections += 1;
        const { heartbeatIntervalMs, inventoryIntervalMs } = message.payload;
        const report = (): void =>
          say({ type: 'inventory', payload: { position, sessions: [...held.values()] } });
        const beat = (): void =>
          say({ type: 'heartbeat', payload: { status: 'online', activeSessions: held.size } });
        report();
        const timers = [setInterval(beat, heartbeatIntervalMs), setInterval(report, inventoryIntervalMs)];
        own.once('close', () => timers.forEach(clearInterval));
      }
      if (message.type !== 'command') return;
      position += 1;
      const { commandId, sessionId, generation, action } = message.payload;
      if (!acknowledges) return;
      if (action === 'start_session' && held.get(sessionId)?.generation !== generation) {
        starts.push(sessionId);
        if (held.has(sessionId)) restartedWhileHeld.push(sessionId);
        held.set(sessionId, { sessionId, generation, commandId, state: 'running' });
      }
      say({ type: 'ack', payload: { commandId } });
      say({ type: 'complete', payload: { commandId, result: { sessionId, generation, state: 'running' } } });
    });
    own.on('error', () => undefined);
    ended = new Promise((resolve) => {
      own.on('close', (code, reason) => {
        resolve();
        if (status === 'stopped' || own !== socket) return;
        closes.push({ code, reason: reason.toString() });
        dial();
      });
    });
  };
  dial();
  return {
    get connections() {
      return connections;
    },
    closes,
    starts,
    get held() {
      return [...held.values()];
    },
    restartedWhileHeld,
    reboot() {
      held = new Map();
      instanceId = randomUUID();
      const before = socket;
      dial();
      before.terminate();
    },
    async [Symbol.asyncDispose]() {
      status = 'stopped';
      socket.terminate();
      await ended;
    },
  };
}
