import { describe, expect, it, vi } from 'vitest';
import { browserUrl, dialableHost } from '../src/address.js';
import { Closing } from '../src/closing.js';
import { createLog, describeError, type LogLevel } from '../src/log.js';

function collect(level: LogLevel) {
  const lines: string[] = [];
  return { lines, log: createLog(level, (line) => lines.push(line)) };
}

describe('the log', () => {
  it('writes a line per call and leaves out what is below its level', () => {
    const { lines, log } = collect('info');
    log.debug('detail');
    log.info('Server started on :8080');
    log.error('no');
    expect(lines).toEqual(['INFO: Server started on :8080\n', 'ERROR: no\n']);
  });

  it('lets no name from outside begin a line of its own', () => {
    const { lines, log } = collect('info');
    log.info('User eve\nINFO: User admin\u2028logged\u001b[2J in');
    expect(lines).toEqual(['INFO: User eve INFO: User admin logged [2J in\n']);
  });

  it('describes an error with its code and its causes', () => {
    const cause = Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' });
    expect(describeError(new Error('no database', { cause }))).toBe(
      'no database; because: no route (EHOSTUNREACH)',
    );
    expect(describeError(new Error('no route', { cause: new Error('no route') }))).toBe('no route');
    expect(describeError('text')).toBe('text');
  });
});

describe('closing', () => {
  it('goes the other way round, once, past errors', async () => {
    const { lines, log } = collect('info');
    const closing = new Closing(log);
    const closed: string[] = [];
    closing.add('the first', () => closed.push('first'));
    closing.add('the second', () => Promise.reject(new Error('stuck')));
    closing.add('the third', async () => closed.push('third'));
    expect(await Promise.all([closing.close(), closing.close()])).toEqual([false, false]);
    expect(closed).toEqual(['third', 'first']);
    expect(lines).toEqual(['ERROR: Closing the second: stuck\n']);
  });
});

describe('closing what never ends', () => {
  it('is given up after five seconds, and says what it was', async () => {
    vi.useFakeTimers();
    try {
      const { lines, log } = collect('info');
      const closing = new Closing(log);
      closing.add('the stubborn one', () => new Promise(() => {}));
      const closed = closing.close();
      await vi.advanceTimersByTimeAsync(5_000);
      expect(await closed).toBe(false);
      expect(lines).toEqual(['ERROR: Not closed within 5 s: the stubborn one\n']);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('addresses', () => {
  it('are such as can be connected to', () => {
    expect(browserUrl('0.0.0.0', 8080, '/setup?token=t')).toBe('http://localhost:8080/setup?token=t');
    expect(browserUrl('127.0.0.1', 80, '/')).toBe('http://127.0.0.1/');
    expect(browserUrl('::1', 8080, '/')).toBe('http://[::1]:8080/');
    expect(dialableHost('0.0.0.0')).toBe('127.0.0.1');
    expect(dialableHost('::')).toBe('[::1]');
  });
});
