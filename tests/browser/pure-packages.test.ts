import { describe, expect, it } from 'vitest';
import { hasBrowser, openBrowser } from './support/browser.js';
import { bundle } from './support/bundle.js';

describe.runIf(hasBrowser())('protocol, rfb and the root of vnc-tunnel', () => {
  it('run in a browser, with nothing of Node', async () => {
    const code = await bundle('./pure-entry.ts', 'pure');
    await using browser = await openBrowser('about:blank');
    await browser.page.addScriptTag({ content: code });
    expect(await browser.page.evaluate('pure.tryPurePackages()')).toEqual({
      frame: '18446744073709551615',
      echoed: 600_000,
      desktop: 'pure 64x48',
    });
    expect(browser.complaints).toEqual([]);
  });
});
