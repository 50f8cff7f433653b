import { createAgent } from '@streamspace/agent-core';
import { memoryPlatform } from '@streamspace/agent-core/testing';
import {
  CLOSE,
  decodeAgentMessage,
  decodeControlMessage,
  encodeMessage,
  FRAME_HEADER_BYTES,
  SUBPROTOCOL_V2,
  type ControlMessage,
} from '@streamspace/protocol';
import { WebSocketServer, type WebSocket } from 'ws';
import { frameBytes, messageText, sampleControlMessage } from '../protocol/samples.js';
import { asReceived, listen, RawSocket, WAIT_MS } from '../peers/sockets.js';
import { must, within, type Target } from '../target.js';

const INPUTS = 24;
/** What the agent may report of what it was sent. */
const EXPECTED = ['ProtocolError', 'AgentError', 'PlatformError', 'TunnelError'];

const WELCOME: ControlMessage = {
  type: 'welcome',
  payload: { version: 2, epoch: 1, heartbeatIntervalMs: 60_000, inventoryIntervalMs: 60_000 },
};

/** The code that the agent has to close with because of this input, if it has to. */
function closeCodeFor(input: Uint8Array | string): number | undefined {
  if (typeof input !== 'string') return input.length < FRAME_HEADER_BYTES ? CLOSE.protocolError : undefined;
  try {
    const { type } = decodeControlMessage(asReceived(input));
    return type === 'drain' || type === 'shutdown' ? CLOSE.normal : undefined;
  } catch {
    return undefined;
  }
}

type Upgrade = Parameters<typeof listen>[0];
/** One server for all rounds: Node's fetch keeps some 24 KB for each port that it has ever asked. */
let server: ReturnType<typeof listen> | undefined;
let onUpgrade: Upgrade = (_request, socket) => void socket.destroy();

/**
 * An agent whose control plane says anything: it goes on answering, or closes with the right code and connects again.
 */
export const agent: Target = {
  name: 'agent',
  casesPerRound: INPUTS,
  async round(random, record) {
    const upgrades = new WebSocketServer({ noServer: true, handleProtocols: () => SUBPROTOCOL_V2 });
    const waiting: RawSocket[] = [];
    let current: WebSocket | undefined;
    /** Results that were not acknowledged: the next connection is told of them again, and an agent waits for it at its end. */
    const reported = new Set<string>();
    let acknowledges = false;
    const acknowledge = (): void => {
      for (const commandId of reported)
        current?.send(encodeMessage({ type: 'result_ack', payload: { commandId } }));
      reported.clear();
    };
    const noteResult = (text: string): void => {
      const message = decodeAgentMessage(text);
      const { completed, failed } =
        message.type === 'hello' ? message.payload.finished : { completed: [], failed: [] };
      for (const { commandId } of [...completed, ...failed]) reported.add(commandId);
      if (message.type === 'complete' || message.type === 'failed') reported.add(message.payload.commandId);
      if (acknowledges) acknowledge();
    };
    let arrived = (): void => {};
    server ??= listen((...upgrade) => onUpgrade(...upgrade));
    const { port } = await server;
    onUpgrade = (request, socket, head) => {
      upgrades.handleUpgrade(request, socket, head, (ws) => {
        waiting.push(new RawSocket(ws));
        ws.on('message', (data: Buffer, isBinary: boolean) => {
          if (!isBinary) noteResult(data.toString('utf8'));
        });
        current = ws;
        arrived();
      });
    };
    const nextConnection = async (): Promise<RawSocket> => {
      while (waiting.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
      return waiting.shift()!;
    };
    const greet = async (): Promise<RawSocket> => {
      const socket = await within(WAIT_MS, 'the agent to connect', nextConnection());
      await socket.next('hello');
      socket.send(encodeMessage(WELCOME));
      await socket.next('inventory');
      return socket;
    };
    const expectPong = async (socket: RawSocket): Promise<void> => {
      socket.messages.length = 0;
      socket.send(encodeMessage({ type: 'ping', payload: {} }));
      await socket.next('pong');
    };

    const wrong: string[] = [];
    const stop = new AbortController();
    const running = createAgent({
      agentId: 'agent',
      controlPlaneUrl: `ws://127.0.0.1:${port}`,
      apiKey: 'k',
      platform: memoryPlatform(),
      stopTimeoutMs: 50,
      reconnect: { first: 1, longest: 5 },
      onError: (error, where) => {
        if (!(error instanceof Error && EXPECTED.includes(error.name)))
          wrong.push(`${where}: ${String(error)}`);
      },
    }).run(stop.signal);
    try {
      const socket = await greet();
      const codes = new Set<number>();
      for (let fed = 0; fed < INPUTS;) {
        const input = random.chance(0.3)
          ? frameBytes(random)
          : messageText(random, sampleControlMessage(random));
        const code = closeCodeFor(input);
        // Each of these ends the connection, and with it the round: few are enough.
        if (code !== undefined && !random.chance(0.15)) continue;
        if (code !== undefined) codes.add(code);
        fed += 1;
        record(input);
        socket.send(input);
      }
      if (codes.size > 0) {
        // Side by side: an agent that was asked to move closes once it has the next connection.
        const next = greet();
        const code = await within(WAIT_MS, `a close with ${[...codes].join(' or ')}`, socket.closed);
        must(codes.has(code), `closed with ${code}, expected ${[...codes].join(' or ')}`);
        await expectPong(await next);
      } else await expectPong(socket);
      must(wrong.length === 0, wrong.join('; '));
    } finally {
      stop.abort();
      acknowledges = true;
      acknowledge();
      await within(WAIT_MS, 'the agent to stop', running);
      upgrades.close();
    }
  },
  async [Symbol.asyncDispose]() {
    await (await server)?.close();
    server = undefined;
  },
};
