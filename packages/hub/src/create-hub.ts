import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CLOSE, LIMITS, SUBPROTOCOL_V2 } from '@streamspace/protocol';
import { WebSocketServer } from 'ws';
import { AgentLink, SUPERSEDED } from './agent-link.js';
import { Counters } from './counters.js';
import { HubError } from './errors.js';
import { EventLane } from './event-lane.js';
import type { AgentHub, AgentHubOptions } from './hub.js';
import type { LinkOwner } from './link-owner.js';
import { resolveHubOptions } from './options.js';

/**
 * Largest WebSocket message that an agent may send, in bytes; past it the connection is closed (1009).
 * UTF-8 takes at most three bytes for a UTF-16 code unit, and frames are smaller than control messages.
 */
const MAX_MESSAGE_BYTES = LIMITS.controlMessageChars * 3;

function offersV2(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some((name) => name.trim() === SUBPROTOCOL_V2);
}

function refuseUpgrade(socket: Duplex, detail: string): void {
  const body = `${detail}\n`;
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/**
 * Makes a hub. It owns the connections that it is handed, and nothing else: the ports are the caller's,
 * but for the backend, which it disposes of with itself.
 *
 * @throws RangeError naming the option, its value and what is allowed
 */
export function createAgentHub(given: AgentHubOptions): AgentHub {
  const options = resolveHubOptions(given);
  const lane = new EventLane(options.onEvent, options.onError);
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: () => SUBPROTOCOL_V2,
  });
  /** Every connection, greeting ones included. */
  const connections = new Set<AgentLink>();
  /** The current connection of each agent. */
  const links = new Map<string, AgentLink>();
  const counters = new Counters();
  let disposed: Promise<void> | undefined;

  const owner: LinkOwner = {
    options,
    async activated(link) {
      const other = links.get(link.agentId);
      // Claims may be answered in another order than they were made: the epoch says which connection is the newer.
      const [older, newer] = other && other.epoch > link.epoch ? [link, other] : [other, link];
      links.set(link.agentId, newer);
      void older?.close(CLOSE.superseded, SUPERSEDED);
      if (older === link) return;
      await options.backend.announce(link.agentId, link.epoch);
      void lane.emit({ type: 'agent_online', agentId: link.agentId, epoch: link.epoch });
    },
    async ended(link, reason) {
      const { agentId, epoch } = link;
      const current = links.get(agentId) === link;
      if (current) links.delete(agentId);
      // Each for itself: the ownership repeats a release that failed, and does not withdraw the agent.
      await options.ownership
        .release(agentId, link.connectionId, epoch)
        .catch((error: unknown) => options.onError(error, `releasing agent ${agentId}`));
      await options.backend
        .withdraw(agentId, epoch)
        .catch((error: unknown) => options.onError(error, `withdrawing agent ${agentId}`));
      if (current) await lane.emit({ type: 'agent_offline', agentId, epoch, reason });
    },
    isCurrent: (link) => links.get(link.agentId) === link,
    streamsEnded: (stats) => counters.streamsEnded(stats),
    stale: (frame) => counters.stale(frame),
    duplicateResult: () => void (counters.duplicateResults += 1),
    redelivered: () => void (counters.redeliveries += 1),
    async inventory(link, { position, sessions }) {
      const changedSince = link.changedSince(position);
      await lane.emit({
        type: 'inventory',
        agentId: link.agentId,
        epoch: link.epoch,
        sessions,
        changedSince,
        isCurrent: () => link.isActive && owner.isCurrent(link),
      });
      link.pump();
    },
    async status(link, status) {
      await lane.emit({ type: 'session_status', agentId: link.agentId, epoch: link.epoch, ...status });
    },
    async sessionEvent(link, event) {
      await lane.emit({ type: 'session_event', agentId: link.agentId, epoch: link.epoch, ...event });
    },
  };

  const stopWatching = options.ownership.onSuperseded?.(({ agentId, epoch }) => {
    const link = links.get(agentId);
    if (link?.epoch !== epoch) return;
    counters.stale('heartbeat');
    void link.close(CLOSE.superseded, SUPERSEDED);
  });
  const stopListening = options.backend.onWake((agentId) => links.get(agentId)?.pump());

  /** Hints may be lost; what they were about is found here, with one question for all agents. */
  const findWaiting = async (): Promise<void> => {
    if (links.size === 0) return;
    const epochs = [...links.values()].map(({ agentId, epoch }) => ({ agentId, epoch }));
    for (const link of links.values()) if (link.unsure) link.pump();
    for (const agentId of await options.commands.waiting(epochs)) links.get(agentId)?.pump(true);
  };
  const expire = async (): Promise<void> => {
    for (const command of await options.commands.expire(Date.now())) {
      counters.expired += 1;
      const link = links.get(command.agentId);
      link?.expired(command.commandId);
      // To be told to undo it.
      link?.pump();
    }
  };
  let sweeping = false;
  const sweep = async (): Promise<void> => {
    // Timers run before sockets are read: after a long turn of the event loop what agents have said is in the kernel.
    await new Promise((resolve) => setImmediate(resolve));
    if (disposed) return;
    for (const link of connections)
      if (link.silentMs() > options.heartbeatTimeoutMs)
        link.terminate(`nothing was heard for ${options.heartbeatTimeoutMs} ms`);
    for (const link of links.values()) link.reportLiveness();
    if (sweeping) return;
    sweeping = true;
    await findWaiting().catch((error: unknown) => options.onError(error, 'looking for waiting commands'));
    await expire().catch((error: unknown) => options.onError(error, 'expiring commands'));
    sweeping = false;
  };
  const sweeper = setInterval(() => void sweep(), options.sweepIntervalMs);
  sweeper.unref();

  const dispose = async (): Promise<void> => {
    clearInterval(sweeper);
    stopListening();
    stopWatching?.();
    await Promise.all(
      [...connections].map((link) => link.close(CLOSE.goingAway, 'the control plane is stopping')),
    );
    await lane.settled();
    server.close();
    await options.ownership
      .flush?.()
      .catch((error: unknown) => options.onError(error, 'writing what agents reported last'));
    await options.backend[Symbol.asyncDispose]();
  };

  return {
    handleUpgrade(request, socket, head, agentId) {
      if (disposed) {
        socket.destroy();
        return;
      }
      if (!offersV2(request)) {
        refuseUpgrade(socket, `offer the WebSocket subprotocol ${SUBPROTOCOL_V2}`);
        return;
      }
      server.handleUpgrade(request, socket, Buffer.from(head.buffer, head.byteOffset, head.length), (ws) => {
        const link = new AgentLink(agentId, ws, owner);
        connections.add(link);
        void link.ended.then(() => connections.delete(link));
      });
    },
    wake(agentId) {
      const local = links.get(agentId);
      if (local) {
        local.pump();
        return;
      }
      void options.backend
        .locate(agentId)
        .then((place) => place && options.backend.wake(place.podName, agentId))
        .catch((error: unknown) => options.onError(error, `waking the owner of agent ${agentId}`));
    },
    async openStream(request) {
      if (disposed) throw new HubError('closed', 'the hub is closed', true);
      const link = links.get(request.agentId);
      if (!link) throw new HubError('agent_not_connected', `agent ${request.agentId} is not connected`, true);
      return link.openStream(request);
    },
    agents() {
      return [...links.values()].map(({ agentId, epoch, connectedAt, streams }) => ({
        agentId,
        epoch,
        connectedAt,
        streams,
      }));
    },
    counters: () => counters.snapshot([...connections].flatMap(({ streamStats }) => streamStats ?? [])),
    disconnect(agentId, reason) {
      for (const link of connections) if (link.agentId === agentId) void link.close(CLOSE.goingAway, reason);
    },
    [Symbol.asyncDispose]() {
      disposed ??= dispose();
      return disposed;
    },
  };
}
