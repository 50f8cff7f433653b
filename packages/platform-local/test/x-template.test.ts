import { describe, expect, it } from 'vitest';
import { missingForXDesktop, xDesktopTemplate } from '@streamspace/platform-local';
import { describeRlimits, limitsOf } from '../src/x/resources.js';
import { programMissing, readXTemplate } from '../src/x/x-template.js';

const read = (spec: object, most = {}) => readXTemplate('mine', { spec }, most);

describe("A template's X desktop", () => {
  it('has a window manager and a terminal where the template names nothing', () => {
    expect(readXTemplate('x-desktop', xDesktopTemplate, {})).toEqual(read({}));
    expect(read({}).commands.map(([program]) => program)).toEqual(['openbox', 'xterm']);
  });

  it('has the commands, variables and limits that it names', () => {
    const commands = [['sh', '-c', 'exit']];
    const env = [{ name: 'EDITOR', value: 'vi' }];
    const defaultResources = { memory: '1Gi', limits: { memory: '2Gi', cpu: '1500m' } };
    expect(read({ commands, env, defaultResources }, { cpus: 1, processes: 50 })).toEqual({
      commands,
      environment: { EDITOR: 'vi' },
      limits: { memoryBytes: 2 * 2 ** 30, cpus: 1, processes: 50 },
    });
  });

  it.each([
    [{ commands: [] }, /commands is \[\]; allowed is a list of 1 to 32 commands/],
    [{ commands: ['xterm'] }, /commands is \["xterm"\]/],
    [{ commands: [['']] }, /commands is/],
    [{ commands: [['sh', 1]] }, /commands is/],
    [{ commands: [['a\0b']] }, /commands is/],
    [{ env: [{ name: 'A=B', value: '' }] }, /env is not allowed/],
    [{ env: {} }, /env is not allowed/],
    [{ defaultResources: { memory: 'much' } }, /memory is "much"; allowed is an amount such as 512Mi/],
    [{ defaultResources: { cpu: -1 } }, /cpu is -1; allowed is a number such as 500m/],
  ])('is refused where %j cannot be understood', (spec, message) => {
    expect(() => read(spec)).toThrow(
      expect.objectContaining({ code: 'template_unsupported', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    ['1500', 1500],
    ['2k', 2000],
    ['1.5Gi', 1.5 * 2 ** 30],
    [64, 64],
  ])('understands %j of memory', (memory, memoryBytes) => {
    expect(limitsOf({ defaultResources: { memory } }, {})).toEqual({ memoryBytes });
  });

  it('says what is limited, and what is not', () => {
    expect(describeRlimits({})).toBe('none');
    expect(describeRlimits({ memoryBytes: 2 ** 20, cpus: 1, processes: 9 })).toBe(
      'rlimit: each process at most 1 MiB of memory; processes and CPU not limited for want of a writable cgroup',
    );
  });

  it('names the packages of what is missing', () => {
    expect(missingForXDesktop('no-such-server')).toContain('no-such-server');
    expect(programMissing(['Xtigervnc', 'xterm'])).toMatchObject({
      code: 'program_missing',
      message: expect.stringMatching(
        /Xtigervnc, xterm are not installed .*: apt-get install tigervnc-standalone-server xterm$/,
      ),
    });
  });
});
