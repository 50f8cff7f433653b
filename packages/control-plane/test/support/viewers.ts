import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import type { ControlPlaneOptions, Database } from '../../src/index.js';
import { fakeAgent, type FakeAgent } from './fake-agent.js';
import { eventually, setUpAdmin, startServer, type TestClient, type TestServer } from './server.js';

type AgentOptions = Pick<Parameters<typeof fakeAgent>[0], 'ignore' | 'refuse'>;

export interface TestViewer {
  readonly socket: WebSocket;
  readonly opened: Promise<unknown>;
  /** What it was told at the end. */
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** A control plane with an agent and a session `s`, and viewers of it. */
export interface Desk extends AsyncDisposable {
  readonly server: TestServer;
  readonly client: TestClient;
  readonly agent: FakeAgent;
  state(): Promise<unknown>;
  ticket(mode?: string, id?: string): Promise<string>;
  view(
    ticket: string | undefined,
    options?: ClientOptions & { path?: string; protocol?: string },
  ): TestViewer;
  /** The desktop's end of the stream that was opened last. */
  desktop(): Promise<ByteChannel>;
  /** What operators were told of viewers, from the first on. */
  said(): TestServer['events'];
}

/** The session runs, unless the agent ignores its start. */
export async function startDesk(
  database: Database,
  more: Partial<ControlPlaneOptions> & { mount?: string } & AgentOptions = {},
): Promise<Desk> {
  const { ignore, refuse, ...options } = more;
  const server = await startServer(database, options);
  const client = await setUpAdmin(server);
  const key = await server.controlPlane.agents.issueKey('desk-1');
  const agent = await fakeAgent({
    url: server.wsUrl,
    agentId: 'desk-1',
    key,
    ...(ignore && { ignore }),
    ...(refuse && { refuse }),
  });
  const state = async (): Promise<unknown> => (await client.send('GET', '/api/v1/sessions/s')).body['state'];
  await client.send('POST', '/api/v1/sessions', { template: 'desk', id: 's' });
  await eventually('the start has arrived', () => agent.commands.length === 1);
  if (!ignore?.(agent.commands[0]!)) await eventually('running', async () => (await state()) === 'running');
  return {
    server,
    client,
    agent,
    state,
    async ticket(mode = 'control', id = 's') {
      const { body } = await client.send('POST', `/api/v1/sessions/${id}/tickets`, { mode });
      return body['ticket'] as string;
    },
    view(ticket, given = {}) {
      const { path = '/api/v1/vnc/s', protocol, ...clientOptions } = given;
      const url = `${server.wsUrl}${path}${ticket ? `?ticket=${ticket}` : ''}`;
      const socket = new WebSocket(url, protocol ?? [], clientOptions);
      const closed = new Promise<{ code: number; reason: string }>((resolve) => {
        socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
      });
      const opened = once(socket, 'open');
      opened.catch(() => undefined);
      return { socket, closed, opened };
    },
    async desktop() {
      await eventually('the stream is open', () => agent.desktops.has('s'));
      return agent.desktops.get('s')!;
    },
    said: () => server.events.filter(({ type }) => type.startsWith('viewer_')),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
