import { readFileSync } from 'node:fs';
import tseslint from 'typescript-eslint';

const table = JSON.parse(readFileSync(new URL('./import-boundaries.json', import.meta.url), 'utf8'));
const everyone = Object.keys(table).filter((name) => !name.startsWith('$'));

/** One lint block for each row of import-boundaries.json. */
const boundaries = everyone.map((name) => {
  const folder = name === 'web' ? 'apps/web' : `packages/${name}`;
  const forbidden = everyone.filter((other) => other !== name && !table[name].includes(other));
  return {
    files: [`${folder}/src/**/*.{ts,tsx}`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^@streamspace/(${[...forbidden, 'control-plane-app', 'local-agent-app'].join('|')})(/.*)?$`,
              message: `${folder} may import only: ${table[name].join(', ') || 'nothing of ours'} (import-boundaries.json).`,
            },
            {
              regex: '^(\\.\\./)+(packages|apps|tests|bench)/',
              message: 'Import another package by its public name, never by a relative path.',
            },
          ],
        },
      ],
    },
  };
});

const pure = [
  'packages/protocol/src/**',
  'packages/rfb/src/*.ts',
  'packages/vnc-tunnel/src/*.ts',
  'packages/client/src/**',
];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.streamspace/**', '.artifacts/**'] },
  ...tseslint.configs.recommended.map((block) => ({ ...block, files: ['**/*.{ts,tsx}'] })),
  {
    files: ['**/*.{ts,tsx}'],
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'Libraries own no process: take what you need as an option.' },
      ],
    },
  },
  {
    files: pure,
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'This code also runs in browsers.' },
        { name: 'Buffer', message: 'This code also runs in browsers: use Uint8Array.' },
      ],
    },
  },
  ...boundaries,
);
