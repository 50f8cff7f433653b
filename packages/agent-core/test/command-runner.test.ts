import type { AgentMessage, ControlPayloads } from '@streamspace/protocol';
import { describe, expect, it } from 'vitest';
import { CommandRunner } from '../src/command-runner.js';
import { PlatformError } from '../src/errors.js';
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

function setUp() {
  const platform = memoryPlatform();
  const sent: AgentMessage[] = [];
  const runner = new CommandRunner({ platform, send: (message) => sent.push(message) });
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
});
