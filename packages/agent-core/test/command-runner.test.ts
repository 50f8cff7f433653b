import type { AgentMessage, ControlPayloads } from '@streamspace/protocol';
import { describe, expect, it } from 'vitest';
import { carryOut } from '../src/carry-out.js';
import { CommandRunner } from '../src/command-runner.js';
import { PlatformError } from '../src/errors.js';
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

function setUp({ parallel = 16, maxSessions = 0 } = {}) {
  const platform = memoryPlatform();
  const sent: AgentMessage[] = [];
  const table = new SessionTable();
  const survey = async (): Promise<void> => {
    for (const session of await platform.list(new AbortController().signal))
      table.set(session.sessionId, session);
    table.markComplete();
  };
  const runner = new CommandRunner({
    carryOut: (next, signal) => carryOut({ platform, table, maxSessions, survey }, next, signal),
    parallel,
    send: (message) => sent.push(message),
  });
  const said = (): string[] =>
    sent.map(({ type, payload }) => `${type} ${(payload as { commandId?: string }).commandId}`);
  return { platform, sent, runner, said };
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
    expect(runner.counts).toEqual({ acting: 2, waiting: 2, unreported: 0 });
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
