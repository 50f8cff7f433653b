import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  decodeAgentMessage,
  encodeMessage,
  SUBPROTOCOL_V2,
  type AgentMessage,
  type ControlMessage,
} from '@streamspace/protocol';
import { WebSocketServer, type WebSocket } from 'ws';

/** One connection of an agent, as a control plane sees it. */
export interface AgentSocket {
  readonly messages: AgentMessage[];
  send(message: ControlMessage): void;
  close(code: number, reason: string): void;
  /** With which code, once it is closed. */
  readonly closed: Promise<number>;
  isOpen(): boolean;
}

/** A control plane that does what the test says: it answers registrations, and nothing by itself on WebSockets. */
export async function fakeControlPlane() {
  const registrations: unknown[] = [];
  const sockets: AgentSocket[] = [];
  let onRegister = (_request: IncomingMessage, response: ServerResponse): void => void response.end('{}');
  let onUpgrade: ((request: IncomingMessage) => string | undefined) | undefined;
  const upgrades = new WebSocketServer({ noServer: true, handleProtocols: () => SUBPROTOCOL_V2 });
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      registrations.push(JSON.parse(body));
      onRegister(request, response);
    });
  });
  server.on('upgrade', (request, socket, head) => {
    const refusal = onUpgrade?.(request);
    if (refusal !== undefined) socket.end(refusal);
    else upgrades.handleUpgrade(request, socket, head, (ws) => sockets.push(agentSocket(ws)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    registrations,
    sockets,
    answerRegistrations: (answer: typeof onRegister) => (onRegister = answer),
    /** The whole answer to an upgrade that is refused, or `undefined`. */
    answerUpgrades: (answer: typeof onUpgrade) => (onUpgrade = answer),
    async close(): Promise<void> {
      for (const client of upgrades.clients) client.terminate();
      upgrades.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function agentSocket(ws: WebSocket): AgentSocket {
  const messages: AgentMessage[] = [];
  ws.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) messages.push(decodeAgentMessage(data.toString('utf8')));
  });
  ws.on('error', () => ws.terminate());
  return {
    messages,
    send: (message) => ws.send(encodeMessage(message)),
    close: (code, reason) => ws.close(code, reason),
    closed: new Promise((resolve) => ws.once('close', resolve)),
    isOpen: () => ws.readyState === ws.OPEN,
  };
}

export const welcome = (more: Partial<Extract<ControlMessage, { type: 'welcome' }>['payload']> = {}) =>
  ({
    type: 'welcome',
    payload: { version: 2, epoch: 1, heartbeatIntervalMs: 60_000, inventoryIntervalMs: 60_000, ...more },
  }) satisfies ControlMessage;
