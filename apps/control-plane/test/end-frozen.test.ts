import { describe, expect, it } from 'vitest';
import { endFrozen } from '../src/watchdog/end-frozen.mjs';

describe('the end of a process that has frozen', () => {
  const trace = (write: (beats: Int32Array) => void): string[] => {
    const beats = new Int32Array(new SharedArrayBuffer(4));
    const calls: string[] = [];
    endFrozen(beats, {
      write: () => {
        calls.push('write');
        write(beats);
      },
      kill: () => void calls.push('kill'),
    });
    return calls;
  };

  it('writes, then kills', () => {
    expect(trace(() => undefined)).toEqual(['write', 'kill']);
  });

  it('kills although the output cannot be written', () => {
    const broken = () => {
      throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    };
    expect(trace(broken)).toEqual(['write', 'kill']);
  });

  it('does not kill a process whose main thread beats again while the write waits for a reader', () => {
    expect(trace((beats) => void Atomics.add(beats, 0, 1))).toEqual(['write']);
  });
});
