import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  decodeControlMessage,
  encodeMessage,
  SUBPROTOCOL_V2,
  type AgentMessage,
  type ControlMessage,
  type InventoryEntry,
  type OpenRequest,
} from '@streamspace/protocol';
import { createTunnel, TunnelError } from '@streamspace/vnc-tunnel';
import { webSocketLink } from '@streamspace/vnc-tunnel/node';
import { channelPair } from '@streamspace/vnc-tunnel/testing';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import { WebSocket } from 'ws';

type Command = Extract<ControlMessage, { type: 'command' }>['payload'];

export interface FakeAgent extends AsyncDisposable {
  readonly commands: Command[];
  /** The desktops' ends of the streams that were opened, by session. */
  readonly desktops: Map<string, ByteChannel>;
  /** What was asked for with each stream. */
  readonly opened: OpenRequest[];
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Resets a session's stream that was opened last. */
  cut(sessionId: string, reason: Error): void;
  say(message: AgentMessage): void;
  /** Reports all that it holds. */
  report(sessions: readonly InventoryEntry[]): void;
}

/** An agent that does what it is told, at once; it carries out nothing of what `ignore` names. */
export async function fakeAgent(options: {
  url: string;
  agentId: string;
  key: string;
  platform?: string;
  ignore?: (command: Command) => boolean;
  /** What opening a desktop fails with, if it is to. */
  refuse?: (request: OpenRequest) => Error | undefined | Promise<undefined>;
}): Promise<FakeAgent> {
  const socket = new WebSocket(
    `${options.url}/api/v1/agents/connect?agent_id=${options.agentId}`,
    SUBPROTOCOL_V2,
    { headers: { 'x-agent-api-key': options.key } },
  );
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  const commands: Command[] = [];
  const desktops = new Map<string, ByteChannel>();
  const opened: OpenRequest[] = [];
  const near = new Map<string, ByteChannel>();
  const say = (message: AgentMessage): void => socket.send(encodeMessage(message));
  const welcomed = new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) return;
      const message = decodeControlMessage(data.toString());
      if (message.type === 'welcome') resolve();
      if (message.type !== 'command') return;
      commands.push(message.payload);
      const { commandId, sessionId, generation } = message.payload;
      say({ type: 'ack', payload: { commandId } });
      if (options.ignore?.(message.payload)) return;
      say({ type: 'complete', payload: { commandId, result: { sessionId, generation, state: 'running' } } });
    });
  });
  await once(socket, 'open');
  createTunnel({
    link: webSocketLink(socket),
    onOpen: async (request) => {
      const { sessionId } = request;
      opened.push(request);
      if (!commands.some((command) => command.sessionId === sessionId))
        throw new TunnelError('session_not_found', `no session ${sessionId}`);
      const refusal = await options.refuse?.(request);
      if (refusal) throw refusal;
      const [here, there] = channelPair();
      desktops.set(sessionId, there);
      near.set(sessionId, here);
      return here;
    },
  });
  say({
    type: 'hello',
    payload: {
      versions: [2],
      instanceId: randomUUID(),
      platform: options.platform ?? 'local',
      capacity: { maxSessions: 0 },
      running: [],
      finished: { completed: [], failed: [] },
    },
  });
  await Promise.race([welcomed, closed]);
  return {
    commands,
    desktops,
    opened,
    closed,
    say,
    cut: (sessionId, reason) => near.get(sessionId)?.abort(reason),
    report: (sessions) =>
      say({ type: 'inventory', payload: { position: commands.length, sessions: [...sessions] } }),
    async [Symbol.asyncDispose]() {
      socket.close();
      await closed;
    },
  };
}
