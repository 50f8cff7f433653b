import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AgentHub } from '@streamspace/hub';
import { Refusal } from '../domain/errors.js';
import { asksForWebSocket, OtherUpgrades } from './other-upgrades.js';
import { OWN_SEGMENTS } from './own-segments.js';
import { toRefusal } from './problem.js';
import { refuseUpgrade } from './refuse-upgrade.js';
import type { Services } from './services.js';
import type { ViewerEndpoint } from './viewer-endpoint.js';

type Listener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

type Target =
  | { readonly kind: 'agent'; readonly agentId: string }
  | { readonly kind: 'viewer'; readonly sessionId: string; readonly ticket: string | null };

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function urlOf(target: string): URL | undefined {
  // A target that begins with two slashes is a path too, and not a host.
  const url = target.startsWith('/') ? `http://localhost${target}` : target;
  return URL.canParse(url) ? new URL(url) : undefined;
}

/** Whether a request is for this mount. At the root others have paths too. */
function isBelow(target: string, mount: string): boolean {
  const pathname = urlOf(target)?.pathname ?? '';
  if (mount === '') return OWN_SEGMENTS.has(pathname.split('/')[1] ?? '');
  return pathname === mount || pathname.startsWith(`${mount}/`);
}

/** What an upgrade is for; `undefined` when it is none of ours. */
export function targetOf(target: string, mount: string): Target | undefined {
  const url = urlOf(target);
  if (!url) return undefined;
  const { pathname, searchParams } = url;
  if (!pathname.startsWith(`${mount}/`)) return undefined;
  const path = pathname.slice(mount.length);
  if (path === '/api/v1/agents/connect')
    return { kind: 'agent', agentId: searchParams.get('agent_id') ?? '' };
  const match = /^(?:\/api\/v1)?\/vnc\/([^/]+)$/.exec(path);
  const sessionId = match && decoded(match[1]!);
  return sessionId ? { kind: 'viewer', sessionId, ticket: searchParams.get('ticket') } : undefined;
}

/** `/vdi` from `/vdi/`, `''` from `/`. */
const normalMount = (path: string): string => path.replace(/\/+$/, '');

/** Listeners for upgrades of every control plane here: what is for none of them, the first may serve. */
const LISTENERS = new WeakSet<object>();

/** Hands WebSocket upgrades of HTTP servers to the hub and to the viewers' endpoint, until it is closed. */
export class Upgrades {
  readonly #attached: { server: Server; listener: Listener; others: OtherUpgrades }[] = [];
  /** Sockets of agents that are being authenticated. */
  readonly #pending = new Set<Duplex>();
  readonly #services: Services;
  readonly #hub: AgentHub;
  readonly #viewers: ViewerEndpoint;

  constructor(services: Services, hub: AgentHub, viewers: ViewerEndpoint) {
    this.#services = services;
    this.#hub = hub;
    this.#viewers = viewers;
  }

  attach(server: Server, path: string): void {
    const { path: publicPath } = this.#services.site;
    const mounts = [normalMount(path), ...(publicPath === undefined ? [] : [publicPath])];
    const isAlone = (): boolean => server.listenerCount('upgrade') === 1;
    const isServedHere = ({ url = '/' }: IncomingMessage): boolean =>
      server.listeners('upgrade').every((one) => LISTENERS.has(one)) ||
      mounts.some((mount) => isBelow(url, mount));
    const others = new OtherUpgrades(server, isServedHere);
    const listener: Listener = (request, socket, head) => {
      if (!asksForWebSocket(request)) {
        if (isServedHere(request)) others.serve(request, socket, head);
        return;
      }
      const target = mounts.map((mount) => targetOf(request.url ?? '/', mount)).find((found) => found);
      if (target?.kind === 'agent') void this.#agent(request, socket, head, target.agentId);
      else if (target) this.#viewers.handleUpgrade(request, socket, head, target.sessionId, target.ticket);
      else if (isAlone())
        refuseUpgrade(socket, new Refusal('not_found', 'There is no WebSocket at this path.'));
    };
    LISTENERS.add(listener);
    server.on('upgrade', listener);
    this.#attached.push({ server, listener, others });
  }

  async #agent(request: IncomingMessage, socket: Duplex, head: Buffer, agentId: string): Promise<void> {
    // Until the hub has it, nobody else listens; an unheard error would end the process.
    socket.on('error', () => socket.destroy());
    this.#pending.add(socket);
    try {
      const key = request.headers['x-agent-api-key'];
      await this.#services.agentKeys.authenticate(agentId, typeof key === 'string' ? key : undefined);
      if (!socket.destroyed) this.#hub.handleUpgrade(request, socket, head, agentId);
    } catch (error) {
      const refusal = toRefusal(error);
      if (refusal.code === 'internal' || refusal.code === 'database_unavailable')
        this.#services.onError(error, `authenticating agent ${agentId}`);
      else this.#services.onEvent({ type: 'agent_refused', agentId, code: refusal.code });
      refuseUpgrade(socket, refusal);
    } finally {
      this.#pending.delete(socket);
    }
  }

  /** Takes no more upgrades. Connections that were handed on stay. */
  close(): void {
    for (const { server, listener, others } of this.#attached.splice(0)) {
      server.off('upgrade', listener);
      others.close();
    }
    for (const socket of this.#pending) socket.destroy();
  }
}
