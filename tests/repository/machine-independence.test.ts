import { expect, it } from 'vitest';
import { files, read } from './checkout.js';

/** Written in parts, so that this file does not find itself. */
const FORBIDDEN: readonly (readonly [string, RegExp])[] = [
  [
    'the path of a machine',
    new RegExp(`(^|[\\s"'\`(=:])/(${['work', 'root', 'Users'].join('|')})/[\\w.-]`, 'm'),
  ],
  [
    'a package registry',
    new RegExp(['registry\\.npmjs', 'registry\\.yarnpkg', 'npm\\.pkg\\.github'].join('|')),
  ],
];

const TEXT = /\.(ts|tsx|mts|mjs|js|json|md|html|css|yml|yaml|sql|sh)$|(^|\/)(\.npmrc|\.gitignore|\.ci\/run)$/;

it.each(FORBIDDEN)('no file holds %s', (_what, pattern) => {
  const found = files().flatMap((file) => {
    const match = TEXT.test(file) ? pattern.exec(read(file)) : null;
    return match ? [`${file}: ${match[0].trim()}`] : [];
  });
  expect(found).toEqual([]);
});
