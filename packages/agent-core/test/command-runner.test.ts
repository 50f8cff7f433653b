import type { AgentMessage, ControlPayloads } from '@streamspace/protocol';
import { describe, expect, it } from 'vitest';
import { carryOut } from '../src/carry-out.js';
import { CommandRunner } from '../src/command-runner.js';
import { codeOf, PlatformError } from '../src/errors.js';
import { SessionTable } from '../src/session-table.js';
import { memoryPlatform } from '../src/testing/index.js';

type Command = ControlPayloads['command'];

const command = (commandId: string, more: Partial<Command> = {}): Command => ({
  commandId,
  action: 'start_session',
  sessionId: 's-1',
  generation: 1,
  timeoutMs: 10_000,
  payload: { user: 'someone', template: 'echo', templateManifest: {} },
  ...more,
});

function setUp({ parallel = 16, maxSessions = 0, letGoMs = 5_000, retryPausesMs = [1, 1, 1] } = {}) {
  const platform = memoryPlatform();
  const sent: AgentMessage[] = [];
  const table = new SessionTable();
  const survey = async (signal: AbortSignal): Promise<void> => {
    for (const session of await platform.list(signal)) table.set(session.sessionId, session);
    table.markComplete();
  };
  const retries: unknown[] = [];
  const heard: string[] = [];
  const runner = new CommandRunner({
    carryOut: (next, signal) =>
      carryOut(
        {
          platform,
          table,
          maxSessions,
          survey,
          retryPausesMs,
          onRetry: (_command, error, pauseMs) => retries.push([codeOf(error), pauseMs]),
        },
        next,
        signal,
      ),
    parallel,
    letGoMs,
    onStuck: ({ commandId }) => heard.push(`stuck ${commandId}`),
    onLetGo: ({ commandId }) => heard.push(`let go ${commandId}`),
    send: (message) => sent.push(message),
  });
  const said = (): string[] =>
    sent.map(({ type, payload }) => `${type} ${(payload as { commandId?: string }).commandId}`);
  return { platform, sent, runner, said, table, retries, heard };
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('the command runner', () => {
  it('acknowledges, carries out and reports', async () => {
    const { runner, sent, said, platform } = setUp();
    runner.receive(command('c-1'));
    await runner.idle();
    expect(said()).toEqual(['ack c-1', 'complete c-1']);
    expect(sent[1]).toMatchObject({
      payload: { result: { sessionId: 's-1', state: 'running', generation: 1 } },
    });
    expect(platform.effects).toEqual(['start s-1']);
  });

  it('carries out a command once that comes again while it runs, and again when it is done', async () => {
    const { runner, said, platform } = setUp();
    runner.receive(command('c-1'));
    runner.receive(command('c-1'));
    await runner.idle();
    runner.receive(command('c-1'));
    await runner.idle();
    expect(said()).toEqual(['ack c-1', 'ack c-1', 'complete c-1', 'complete c-1']);
    expect(platform.effects).toEqual(['start s-1']);
  });

  it('keeps the order within a session and runs sessions side by side', async () => {
    const { runner, platform } = setUp();
    const slow = gate();
    platform.before = async (what, sessionId) => {
      if (what === 'start' && sessionId === 's-1') await slow.opened;
    };
    runner.receive(command('c-1'));
    runner.receive(command('c-2', { action: 'stop_session' }));
    runner.receive(command('c-3', { sessionId: 's-2' }));
    await expect.poll(() => platform.effects).toEqual(['start s-2']);
    slow.open();
    await runner.idle();
    expect(platform.effects).toEqual(['start s-2', 'start s-1', 'stop s-1']);
  });

  it('reports a failure with its code and sentence', async () => {
    const { runner, sent, platform } = setUp();
    platform.before = () => Promise.reject(new PlatformError('image_missing', 'there is no such image'));
    runner.receive(command('c-1'));
    await runner.idle();
    expect(sent[1]).toEqual({
      type: 'failed',
      payload: { commandId: 'c-1', error: 'there is no such image', code: 'image_missing' },
    });
  });

  it('reports an outcome whose details the wire cannot carry without them', async () => {
    const { runner, sent, platform } = setUp();
    let deep: Record<string, unknown> = {};
    for (let i = 0; i < 100; i++) deep = { deep };
    platform.start = async (spec, by) => ({ ...spec, ...by, state: 'running', details: deep });
    runner.receive(command('c-1'));
    await runner.idle();
    expect(sent[1]).toEqual({ type: 'complete', payload: { commandId: 'c-1' } });
  });

  it('says what a command lacks', async () => {
    const { runner, sent } = setUp();
    runner.receive(
      command('c-1', { payload: { user: 'someone', template: 'echo', templateManifest: 'text' } }),
    );
    await runner.idle();
    expect(sent[1]).toMatchObject({
      payload: {
        code: 'invalid_command',
        error: expect.stringContaining('templateManifest, an object') as string,
      },
    });
  });

  it.each([
    ['cancelled', (runner: CommandRunner) => runner.cancel('c-1', 'nobody wants it any more')],
    ['timeout', () => undefined],
  ])('stops at a command that is given up (%s) and says so', async (code, giveUp) => {
    const { runner, sent, platform } = setUp();
    const begun = gate();
    platform.before = (_what, _id, signal) =>
      new Promise((_resolve, reject) => {
        begun.open();
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    runner.receive(command('c-1', { timeoutMs: code === 'timeout' ? 20 : 10_000 }));
    await begun.opened;
    giveUp(runner);
    await runner.idle();
    expect(sent[1]).toMatchObject({ type: 'failed', payload: { code } });
    expect(platform.effects).toEqual([]);
  });

  it('keeps results until the control plane has them', async () => {
    const { runner, sent } = setUp();
    runner.receive(command('c-1'));
    await runner.idle();
    expect(runner.snapshot().finished.completed).toHaveLength(1);
    runner.resend();
    expect(sent.filter(({ type }) => type === 'complete')).toHaveLength(2);
    runner.resend(new Set(['c-1']));
    expect(sent.filter(({ type }) => type === 'complete')).toHaveLength(2);
    runner.reported('c-1');
    runner.resend();
    expect(sent.filter(({ type }) => type === 'complete')).toHaveLength(2);
    expect(runner.snapshot()).toEqual({ running: [], finished: { completed: [], failed: [] } });
  });

  it('leaves what it had to abandon without a result', async () => {
    const { runner, said, platform } = setUp();
    const begun = gate();
    platform.before = (_what, _id, signal) =>
      new Promise((_resolve, reject) => {
        begun.open();
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    runner.receive(command('c-1'));
    await begun.opened;
    runner.abort(new Error('leadership is lost'));
    await runner.idle();
    expect(said()).toEqual(['ack c-1']);
    expect(runner.snapshot().finished.completed).toEqual([]);
  });

  it('acts on as many commands at once as it may, the others in the order in which they came', async () => {
    const { runner, platform } = setUp({ parallel: 2 });
    const gates = new Map(['s-1', 's-2', 's-3', 's-4'].map((id) => [id, gate()]));
    const begun: string[] = [];
    platform.before = async (_what, sessionId) => {
      begun.push(sessionId);
      await gates.get(sessionId)?.opened;
    };
    for (const sessionId of gates.keys()) runner.receive(command(`c-${sessionId}`, { sessionId }));
    await expect.poll(() => begun).toEqual(['s-1', 's-2']);
    expect(runner.counts).toEqual({ acting: 2, waiting: 2, stuck: 0, unreported: 0 });
    gates.get('s-2')!.open();
    await expect.poll(() => begun).toEqual(['s-1', 's-2', 's-3']);
    for (const { open } of gates.values()) open();
    await runner.idle();
    expect(begun).toEqual(['s-1', 's-2', 's-3', 's-4']);
  });

  it('counts the time of a command from its receipt, and fails one that waits past it without acting', async () => {
    const { runner, sent, platform } = setUp();
    const slow = gate();
    platform.before = () => slow.opened;
    runner.receive(command('c-1'));
    runner.receive(command('c-2', { action: 'stop_session', timeoutMs: 20 }));
    await expect.poll(() => sent.at(-1)).toMatchObject({ payload: { commandId: 'c-2', code: 'timeout' } });
    slow.open();
    await runner.idle();
    await expect.poll(() => runner.isBusy('s-1')).toBe(false);
    expect(platform.effects).toEqual(['start s-1']);
  });

  it('refuses a start past the sessions that it may have, and takes one when another has ended', async () => {
    const { runner, sent, platform } = setUp({ maxSessions: 2 });
    for (const id of ['1', '2', '3']) runner.receive(command(`c-${id}`, { sessionId: `s-${id}` }));
    await runner.idle();
    expect(platform.effects).toHaveLength(2);
    expect(sent.find(({ type }) => type === 'failed')).toMatchObject({
      payload: { commandId: 'c-3', code: 'capacity_exhausted' },
    });
    runner.receive(command('c-4', { action: 'stop_session' }));
    await runner.idle();
    runner.receive(command('c-5', { sessionId: 's-3' }));
    await runner.idle();
    expect(sent.at(-1)).toMatchObject({ type: 'complete', payload: { commandId: 'c-5' } });
  });

  it('counts what the platform held before it came', async () => {
    const { runner, sent, platform } = setUp({ maxSessions: 1 });
    const { signal } = new AbortController();
    const spec = { sessionId: 'old', generation: 1, user: 'u', template: 't', manifest: {} };
    await platform.start(spec, { commandId: 'c-0', generation: 1 }, signal);
    runner.receive(command('c-1'));
    await runner.idle();
    expect(sent.at(-1)).toMatchObject({ payload: { code: 'capacity_exhausted' } });
  });

  it('takes nothing new once it refuses, and forgets nothing of what is known', async () => {
    const { runner, said } = setUp();
    runner.receive(command('c-1'));
    await runner.idle();
    runner.refuse();
    runner.receive(command('c-2', { sessionId: 's-2' }));
    runner.receive(command('c-1'));
    expect(said()).toEqual(['ack c-1', 'complete c-1', 'complete c-1']);
    expect(runner.snapshot().running).toEqual([]);
  });

  it('says when the control plane has everything', async () => {
    const { runner } = setUp();
    await runner.settled();
    runner.receive(command('c-1'));
    await runner.idle();
    const settled = runner.settled().then(() => 'settled');
    expect(await Promise.race([settled, Promise.resolve('waiting')])).toBe('waiting');
    runner.reported('c-1');
    expect(await settled).toBe('settled');
  });
});

describe('a command that the platform does not let go of', () => {
  const stop = (commandId: string, more: Partial<Command> = {}): Command =>
    command(commandId, { action: 'stop_session', ...more });

  /** Sessions whose changes ignore their abort, until they are opened. */
  function hanging(platform: { before: ReturnType<typeof memoryPlatform>['before'] }, ...ids: string[]) {
    const gates = new Map(ids.map((id) => [id, gate()]));
    platform.before = async (_what, sessionId) => gates.get(sessionId)?.opened;
    return { open: (id: string) => gates.get(id)?.open() };
  }

  it.each(['timeout', 'cancelled'])('fails as %s, and gives its slot to another session', async (code) => {
    const { runner, sent, platform, heard } = setUp({ parallel: 1, letGoMs: 5 });
    const hung = hanging(platform, 's-1');
    runner.receive(command('c-1', { timeoutMs: code === 'timeout' ? 10 : 10_000 }));
    runner.receive(stop('c-2', { sessionId: 's-2' }));
    if (code === 'cancelled') {
      await expect.poll(() => runner.counts.acting).toBe(1);
      runner.cancel('c-1', 'nobody wants it any more');
    }
    await expect.poll(() => sent.at(-1)).toMatchObject({ type: 'complete', payload: { commandId: 'c-2' } });
    expect(sent).toContainEqual(
      expect.objectContaining({
        type: 'failed',
        payload: expect.objectContaining({ commandId: 'c-1', code }) as unknown,
      }),
    );
    expect(runner.counts).toMatchObject({ acting: 0, waiting: 0, stuck: 1 });
    expect([runner.isStuck, heard]).toEqual([true, ['stuck c-1']]);
    hung.open('s-1');
    await runner.idle();
    expect([runner.isStuck, heard]).toEqual([false, ['stuck c-1', 'let go c-1']]);
    // What came of it is nobody's result.
    expect(sent.filter(({ type }) => type === 'complete')).toHaveLength(1);
  });

  it('holds the turn of its session until its call has ended', async () => {
    const { runner, sent, platform } = setUp({ letGoMs: 5 });
    const hung = hanging(platform, 's-1');
    runner.receive(command('c-1', { timeoutMs: 10 }));
    await expect.poll(() => runner.counts.stuck).toBe(1);
    expect(runner.isBusy('s-1')).toBe(false);
    runner.receive(stop('c-2', { timeoutMs: 10 }));
    runner.receive(stop('c-3'));
    await expect.poll(() => sent.at(-1)).toMatchObject({ payload: { commandId: 'c-2', code: 'timeout' } });
    expect(platform.effects).toEqual([]);
    expect(runner.snapshot().running).toEqual(['c-3']);
    hung.open('s-1');
    await runner.idle();
    expect(sent.at(-1)).toMatchObject({ type: 'complete', payload: { commandId: 'c-3' } });
    expect((await platform.list(new AbortController().signal)).map(({ state }) => state)).toEqual([]);
  });

  it('keeps its slot where as many are stuck as there are slots', async () => {
    const { runner, sent, platform } = setUp({ parallel: 1, letGoMs: 5 });
    const hung = hanging(platform, 's-1', 's-2');
    runner.receive(command('c-1', { timeoutMs: 10 }));
    runner.receive(command('c-2', { sessionId: 's-2' }));
    await expect.poll(() => runner.counts).toMatchObject({ acting: 1, stuck: 1 });
    runner.cancel('c-2', 'nobody wants it any more');
    await expect.poll(() => runner.counts.stuck).toBe(2);
    runner.receive(stop('c-3', { sessionId: 's-3', timeoutMs: 10 }));
    await expect.poll(() => sent.at(-1)).toMatchObject({ payload: { commandId: 'c-3', code: 'timeout' } });
    hung.open('s-2');
    await expect.poll(() => runner.counts.stuck).toBe(1);
    runner.receive(stop('c-4', { sessionId: 's-3' }));
    await expect.poll(() => sent.at(-1)).toMatchObject({ type: 'complete', payload: { commandId: 'c-4' } });
    hung.open('s-1');
    await runner.idle();
  });

  it('does not count as over when the agent wants to hand its place to another', async () => {
    const { runner, platform, heard } = setUp({ letGoMs: 5 });
    const hung = hanging(platform, 's-1');
    runner.receive(command('c-1', { timeoutMs: 10 }));
    await expect.poll(() => runner.counts.stuck).toBe(1);
    runner.abort(new Error('the agent is stopping'));
    const idle = runner.idle().then(() => 'idle');
    expect(await Promise.race([idle, new Promise((resolve) => setImmediate(resolve, 'acting'))])).toBe(
      'acting',
    );
    hung.open('s-1');
    expect(await idle).toBe('idle');
    expect(heard).toEqual(['stuck c-1']);
  });

  it('is given up where it waits for a list that hangs', async () => {
    const { runner, sent, platform } = setUp({ maxSessions: 1, letGoMs: 5 });
    let asked: AbortSignal | undefined;
    platform.list = (signal) => new Promise(() => (asked = signal));
    runner.receive(command('c-1', { timeoutMs: 10 }));
    await expect.poll(() => sent.at(-1)).toMatchObject({ payload: { commandId: 'c-1', code: 'timeout' } });
    expect(asked?.aborted).toBe(true);
  });
});

describe('a call that fails and may be tried again', () => {
  const unavailable = (): PlatformError =>
    new PlatformError('platform_unavailable', 'the host does not answer', true);

  it.each(['start_session', 'hibernate_session', 'wake_session', 'stop_session'] as const)(
    'is made again: %s',
    async (action) => {
      const { runner, sent, platform, retries } = setUp();
      const goes = { start_session: 1, hibernate_session: 2, wake_session: 3, stop_session: 2 }[action];
      if (goes > 1) runner.receive(command('c-1'));
      if (goes > 2) runner.receive(command('c-2', { action: 'hibernate_session' }));
      await runner.idle();
      let failures = 2;
      platform.before = async () => {
        if (failures-- > 0) throw unavailable();
      };
      runner.receive(command('c-9', { action }));
      await runner.idle();
      expect(sent.at(-1)).toMatchObject({ type: 'complete', payload: { commandId: 'c-9' } });
      expect(retries).toEqual([
        ['platform_unavailable', 1],
        ['platform_unavailable', 1],
      ]);
    },
  );

  it('is made four times at most', async () => {
    const { runner, sent, platform, retries } = setUp({ retryPausesMs: [1, 2, 3] });
    platform.before = () => Promise.reject(unavailable());
    runner.receive(command('c-1'));
    await runner.idle();
    expect(sent.at(-1)).toMatchObject({ type: 'failed', payload: { code: 'platform_unavailable' } });
    expect(retries).toEqual([1, 2, 3].map((pauseMs) => ['platform_unavailable', pauseMs]));
  });

  it.each([
    ['capacity_exhausted', true],
    ['image_missing', false],
  ])('is not made again where that is for others to decide (%s)', async (code, shouldRetry) => {
    const { runner, sent, platform, retries } = setUp();
    platform.before = () => Promise.reject(new PlatformError(code, 'no', shouldRetry));
    runner.receive(command('c-1'));
    await runner.idle();
    expect(sent.at(-1)).toMatchObject({ type: 'failed', payload: { code } });
    expect(retries).toEqual([]);
  });

  it('is not made again past the deadline, which is told with what it was spent with', async () => {
    const { runner, sent, platform } = setUp({ retryPausesMs: [60_000] });
    platform.before = () => Promise.reject(unavailable());
    runner.receive(command('c-1', { timeoutMs: 20 }));
    await runner.idle();
    expect(sent.at(-1)).toMatchObject({
      payload: { code: 'timeout', error: expect.stringContaining('the host does not answer') as string },
    });
  });

  it('is not made again once nobody wants it', async () => {
    const { runner, sent, platform, retries } = setUp({ retryPausesMs: [60_000] });
    platform.before = () => Promise.reject(unavailable());
    runner.receive(command('c-1'));
    await expect.poll(() => retries).toHaveLength(1);
    runner.cancel('c-1', 'nobody wants it any more');
    await runner.idle();
    expect(sent.at(-1)).toMatchObject({
      payload: { code: 'cancelled', error: 'nobody wants it any more' },
    });
  });
});

describe('what a platform returns', () => {
  it.each([
    ['another session', { sessionId: 's-2' }, 'session s-2, generation 1, state running'],
    ['another generation', { generation: 7 }, 'session s-1, generation 7, state running'],
    ['another state', { state: 'starting' as const }, 'session s-1, generation 1, state starting'],
    ['nothing that is one', { state: undefined as never }, 'session s-1, generation 1, state undefined'],
  ])('is not believed where it is %s', async (_what, wrong, told) => {
    const { runner, sent, platform, table } = setUp();
    platform.start = async (spec, by) => ({
      sessionId: spec.sessionId,
      ...by,
      state: 'running',
      ...wrong,
    });
    runner.receive(command('c-1'));
    await runner.idle();
    expect(sent.at(-1)).toMatchObject({
      type: 'failed',
      payload: {
        code: 'internal',
        error: `for start_session the platform returned ${told}; allowed is session s-1, generation 1, state running`,
      },
    });
    expect([...table.held()]).toEqual([]);
  });

  it('is not believed where an inspected session is another', async () => {
    const { runner, sent, platform } = setUp();
    platform.inspect = async () => ({ sessionId: 's-2', generation: 1, commandId: 'c-0', state: 'running' });
    runner.receive(command('c-1'));
    await runner.idle();
    expect(sent.at(-1)).toMatchObject({ type: 'failed', payload: { code: 'internal' } });
    expect(platform.effects).toEqual([]);
  });
});
