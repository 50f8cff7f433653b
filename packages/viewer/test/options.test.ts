import { describe, expect, it } from 'vitest';
import * as viewer from '@streamspace/viewer';
import { resolveViewerOptions } from '../src/options.js';

describe('options', () => {
  it('has a default for everything but the address', async () => {
    const resolved = resolveViewerOptions({ url: 'ws://host/vnc' });
    expect(await resolved.url(new AbortController().signal)).toBe('ws://host/vnc');
    expect(resolved).toMatchObject({ viewOnly: false, scale: 'fit', autoFocus: true, silentMs: 5_000 });
    expect(resolved.retry.connectTimeoutMs).toBe(35_000);
  });

  it('asks the function for an address each time', async () => {
    let count = 0;
    const resolved = resolveViewerOptions({ url: () => `ws://host/${++count}` });
    const { signal } = new AbortController();
    expect([await resolved.url(signal), await resolved.url(signal)]).toEqual(['ws://host/1', 'ws://host/2']);
  });

  it('keeps what callbacks throw away from the viewer', () => {
    const errors: string[] = [];
    const resolved = resolveViewerOptions({
      url: 'ws://host',
      onStatus: () => {
        throw new Error('mine');
      },
      onError: (error, where) => errors.push(`${where}: ${(error as Error).message}`),
    });
    resolved.onStatus({ state: 'connected' });
    expect(errors).toEqual(['onStatus: mine']);
  });

  it('refuses a limit that is none', () => {
    expect(() => resolveViewerOptions({ url: 'ws://host', connectAttempts: 0 })).toThrow(
      'connectAttempts is 0',
    );
    expect(() => resolveViewerOptions({ url: 'ws://host', silentMs: -1 })).toThrow('silentMs is -1');
  });

  it('can be imported where there is no browser', () => {
    expect(Object.keys(viewer).toSorted()).toEqual(['ViewerError', 'createViewer']);
  });
});
