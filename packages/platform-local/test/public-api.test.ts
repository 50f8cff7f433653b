import { expect, it } from 'vitest';
import * as api from '@streamspace/platform-local';

it('The package exports what its users need and nothing more', () => {
  expect(Object.keys(api).sort()).toEqual([
    'builtInDesktopTemplate',
    'localPlatform',
    'missingForXDesktop',
    'xDesktopTemplate',
  ]);
});
