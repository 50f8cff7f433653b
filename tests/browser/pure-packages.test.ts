import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { describe, expect, it } from 'vitest';
import { hasBrowser, openBrowser } from './support/browser.js';

/** The entry and what it imports as one script that leaves its exports in `pure`. */
async function bundle(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@streamspace/source', 'browser', 'import', 'default'] },
    build: {
      write: false,
      target: 'es2022',
      lib: {
        entry: fileURLToPath(new URL('./support/pure-entry.ts', import.meta.url)),
        formats: ['iife'],
        name: 'pure',
      },
    },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (!output || !('output' in output)) throw new Error('the bundler has watched instead of building');
  return output.output[0].code;
}

describe.runIf(hasBrowser())('protocol, rfb and the root of vnc-tunnel', () => {
  it('run in a browser, with nothing of Node', async () => {
    const code = await bundle();
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
