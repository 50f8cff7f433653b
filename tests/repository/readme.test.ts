import { describe, expect, it } from 'vitest';
import { read, readManifest } from './checkout.js';

const { scripts = {} } = readManifest('.');

describe('the README', () => {
  it.each(['npm start', 'npm test'])('names the command `%s`', (command) => {
    expect(read('README.md')).toContain(command);
  });

  it('names no npm script that does not exist', () => {
    for (const [, name = ''] of read('README.md').matchAll(/npm run ([\w:-]+)/g))
      expect(scripts).toHaveProperty(name);
  });
});

describe('the two commands', () => {
  it.each(['start', 'test'])('%s replaces its shell, so that signals reach it', (name) => {
    expect(scripts[name]).toMatch(/^exec node /);
  });

  it('need no hook, which ignore-scripts would leave out in silence', () => {
    const hooks = Object.keys(scripts).filter((name) =>
      /^(pre|post)|^(prepare|install|dependencies)$/.test(name),
    );
    expect(hooks).toEqual([]);
  });
});
