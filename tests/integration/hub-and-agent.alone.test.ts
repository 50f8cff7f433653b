import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { encodeMessage, SUBPROTOCOL_V2 } from '@streamspace/protocol';
import type { ByteChannel } from '@streamspace/vnc-tunnel';
import type { NewCommand } from '@streamspace/hub';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { hubAndAgent } from './support/hub-and-agent.js';

let stage: Awaited<ReturnType<typeof hubAndAgent>>;
afterEach(() => stage.close());

const policy = { role: 'control', clipboard: 'both' } as const;

const command = (sessionId: string, more: Partial<NewCommand> = {}): NewCommand => ({
  commandId: randomUUID(),
  agentId: 'agent-1',
  sessionId,
  generation: 1,
  action: 'start_session',
  payload: { user: 'someone', template: 'echo', templateManifest: {} },
  deadline: Date.now() + 30_000,
  ...more,
});

async function issue(next: NewCommand): Promise<void> {
  await stage.commands.enqueue(next);
  stage.hub.wake('agent-1');
}

async function echo(channel: ByteChannel, text: string): Promise<string> {
  const bytes = Buffer.from(text);
  await channel.write(bytes);
  const parts: Uint8Array[] = [];
  for (let got = 0; got < bytes.length;) {
    const part = await channel.read();
    if (!part) break;
    parts.push(part.slice());
    got += part.length;
  }
  return Buffer.concat(parts).toString();
}

describe('a hub and an agent', () => {
  it('carry out a command from enqueue to its outcome', async () => {
    stage = await hubAndAgent();
    const { platform } = stage.startAgent();
    const start = command('desk-1');
    await issue(start);
    await expect.poll(() => platform.effects).toEqual(['start desk-1']);
    await expect
      .poll(() => stage.commands.finish(start.commandId, 'agent-1', { state: 'completed' }))
      .toBe(false);
    expect(stage.errors).toEqual([]);
  });

  it('give a command that was issued before the agent came to it when it comes', async () => {
    stage = await hubAndAgent();
    await issue(command('desk-1'));
    const { platform } = stage.startAgent();
    await expect.poll(() => platform.effects).toEqual(['start desk-1']);
  });

  it('lose no command and run none twice when the connection is cut again and again', async () => {
    stage = await hubAndAgent({ sweepIntervalMs: 20 });
    const { platform } = stage.startAgent();
    const sessions = Array.from({ length: 60 }, (_, i) => `desk-${i}`);
    for (const [i, session] of sessions.entries()) {
      await issue(command(session));
      await issue(command(session, { action: 'hibernate_session' }));
      if (i % 10 === 5) stage.cut();
    }
    const wanted = sessions.flatMap((session) => [`start ${session}`, `hibernate ${session}`]);
    await expect.poll(() => platform.effects.length, { timeout: 10_000 }).toBe(wanted.length);
    expect([...platform.effects].sort()).toEqual([...wanted].sort());
    for (const session of sessions)
      expect(platform.effects.indexOf(`start ${session}`)).toBeLessThan(
        platform.effects.indexOf(`hibernate ${session}`),
      );
  });

  it('carry streams side by side, and say clearly why one cannot be had', async () => {
    stage = await hubAndAgent();
    const { stop } = stage.startAgent();
    await issue(command('desk-1'));
    await expect.poll(() => stage.events.some(({ type }) => type === 'agent_online')).toBe(true);
    const open = (more: object = {}) =>
      stage.hub.openStream({ agentId: 'agent-1', sessionId: 'desk-1', port: 'echo', policy, ...more });
    await expect
      .poll(() =>
        open().then(
          () => 'open',
          (error: { code: string }) => error.code,
        ),
      )
      .toBe('open');
    const [one, two] = [await open(), await open()];
    expect(await echo(one, 'first')).toBe('first');
    expect(await echo(two, 'x'.repeat(600_000))).toHaveLength(600_000);
    await expect(open({ sessionId: 'no-such' })).rejects.toMatchObject({ code: 'session_not_found' });
    await expect(open({ agentId: 'nobody' })).rejects.toMatchObject({
      code: 'agent_not_connected',
      shouldRetry: true,
    });
    await expect(open({ policy: { role: 'view', clipboard: 'none' } })).rejects.toMatchObject({
      code: 'refused',
    });
    const bytes = 'first'.length + 600_000;
    const grown = { bytesSent: bytes, bytesReceived: bytes, resetsReceived: { refused: 1 } };
    const { streams } = stage.hub.counters();
    expect(streams).toMatchObject({ ...grown, streams: 3, unreadBytes: 0 });
    const cutOff = expect(one.read()).rejects.toThrow();
    await stop();
    await cutOff;
    expect(stage.hub.counters().streams).toMatchObject({
      ...grown,
      opened: streams.opened,
      resetsSent: {},
      openFailures: streams.openFailures,
      ...{ streams: 0, grantedBytes: 0, outstandingBytes: 0 },
    });
    await expect(open()).rejects.toMatchObject({ code: 'agent_not_connected' });
  });

  it('close the older of two connections of one agent', async () => {
    stage = await hubAndAgent();
    const first = stage.startAgent({ reconnect: { first: 60_000, longest: 60_000 } });
    await expect.poll(() => first.agent.status).toBe('connected');
    const second = stage.startAgent();
    await expect.poll(() => second.agent.status).toBe('connected');
    await expect.poll(() => first.events.map(({ type }) => type)).toContain('disconnected');
    expect(stage.hub.agents()).toHaveLength(1);
    expect(stage.events.filter(({ type }) => type === 'agent_offline')).toEqual([]);
  });

  it('report what the platform holds, and not what a later command changed', async () => {
    stage = await hubAndAgent({ inventoryIntervalMs: 30 });
    stage.startAgent();
    await issue(command('desk-1'));
    const inventories = () => stage.events.filter((event) => event.type === 'inventory');
    await expect
      .poll(() => inventories().at(-1)?.sessions)
      .toMatchObject([{ sessionId: 'desk-1', state: 'running' }]);
    await expect.poll(() => inventories().at(-1)?.changedSince.size).toBe(0);
  });

  it('part when an agent stops: what it was at is finished and reported first', async () => {
    stage = await hubAndAgent();
    const { platform, stop } = stage.startAgent();
    let go = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      platform.before = () => {
        resolve();
        return new Promise((done) => (go = done));
      };
    });
    const start = command('desk-1');
    await issue(start);
    await begun;
    const stopped = stop();
    go();
    await stopped;
    await expect
      .poll(() => stage.commands.finish(start.commandId, 'agent-1', { state: 'completed' }))
      .toBe(false);
    await expect.poll(() => stage.events.map(({ type }) => type)).toContain('agent_offline');
  });

  it('keep an agent that reports, and drop one that has fallen silent', async () => {
    stage = await hubAndAgent({ heartbeatIntervalMs: 200, heartbeatTimeoutMs: 1_500, sweepIntervalMs: 10 });
    const { agent } = stage.startAgent();
    await expect.poll(() => agent.status).toBe('connected');
    const silent = new WebSocket(
      `ws://127.0.0.1:${stage.port}/api/v1/agents/connect?agent_id=silent`,
      SUBPROTOCOL_V2,
    );
    await once(silent, 'open');
    silent.send(
      encodeMessage({
        type: 'hello',
        payload: {
          versions: [2],
          instanceId: 'i-1',
          platform: 'memory',
          capacity: { maxSessions: 0 },
          running: [],
          finished: { completed: [], failed: [] },
        },
      }),
    );
    const [code] = (await once(silent, 'close')) as [number];
    expect(code).toBe(1006);
    await expect
      .poll(() => stage.events.filter(({ type }) => type === 'agent_offline'))
      .toMatchObject([{ agentId: 'silent', reason: 'nothing was heard for 1500 ms' }]);
    expect(agent.status).toBe('connected');
  });

  it('end an agent whose key is wrong, and say so', async () => {
    stage = await hubAndAgent();
    const { running } = stage.startAgent({ apiKey: 'wrong' });
    await expect(running).rejects.toMatchObject({ code: 'unauthorized', shouldRetry: false });
  });

  it('hand leadership over only when nothing acts any more', async () => {
    stage = await hubAndAgent();
    const history: string[] = [];
    const lost = new AbortController();
    let terms = 0;
    const { platform } = stage.startAgent({
      election: {
        campaign: async (signal) => {
          history.push(`campaign ${++terms}`);
          if (terms > 1)
            await new Promise((_, reject) =>
              signal.addEventListener('abort', () => reject(signal.reason as Error)),
            );
          return {
            lost: lost.signal,
            abandon: () => void history.push('abandoned'),
            [Symbol.asyncDispose]: async () => void history.push('released'),
          };
        },
      },
    });
    const begun = new Promise<() => void>((resolve) => {
      platform.before = () =>
        new Promise((done) =>
          resolve(() => {
            history.push('the platform call has ended');
            done();
          }),
        );
    });
    await issue(command('desk-1'));
    const end = await begun;
    lost.abort(new Error('the lease ran out'));
    end();
    await expect
      .poll(() => history)
      .toEqual(['campaign 1', 'the platform call has ended', 'released', 'campaign 2']);
  });

  it('report a result that was missed once, with the hello of the next connection', async () => {
    const finished: string[] = [];
    let lost = true;
    stage = await hubAndAgent();
    const finish = stage.commands.finish.bind(stage.commands);
    stage.commands.finish = async (commandId, ...rest) => {
      finished.push(commandId);
      // As when the database is away: the first report is not taken, and not acknowledged.
      if (lost) throw new Error('away');
      return finish(commandId, ...rest);
    };
    stage.startAgent();
    const start = command('desk-1');
    await issue(start);
    await expect.poll(() => finished).toEqual([start.commandId]);
    lost = false;
    stage.cut();
    await expect.poll(() => finished.length).toBe(2);
    await expect.poll(() => stage.events.filter(({ type }) => type === 'inventory').length).toBe(2);
    expect(finished).toEqual([start.commandId, start.commandId]);
  });

  it('go on when what they report to throws', async () => {
    stage = await hubAndAgent();
    const broken = (): never => {
      throw new Error('broken');
    };
    const { platform } = stage.startAgent({ onEvent: broken, onError: broken });
    await issue(command('desk-1'));
    await expect.poll(() => platform.effects).toEqual(['start desk-1']);
  });

  it('answer an upgrade without the subprotocol with what to offer', async () => {
    stage = await hubAndAgent();
    const status = await new Promise<string>((resolve, reject) => {
      const asked = request({
        port: stage.port,
        host: '127.0.0.1',
        path: '/api/v1/agents/connect?agent_id=a',
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': Buffer.alloc(16).toString('base64'),
          'sec-websocket-version': '13',
        },
      });
      asked.on('response', (response) => {
        response.setEncoding('utf8');
        response.on('data', (body) => resolve(`${response.statusCode} ${body}`));
      });
      asked.on('error', reject).end();
    });
    expect(status).toContain('400 offer the WebSocket subprotocol streamspace.v2');
  });
});
