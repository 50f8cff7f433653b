import type { KitCase } from './case.js';
import { requireRestart } from './needs.js';
import { failure } from './waiting.js';

const FLAGS = ['hibernate', 'survivesAgentRestart', 'isolated'] as const;

export const declarations: readonly KitCase[] = [
  {
    chapter: 'Declarations',
    name: 'says why, for each thing that it cannot do',
    why: 'What is missing without a word is taken for an oversight, by people and by reports.',
    async run({ platform }) {
      const { capabilities, name } = platform;
      if (name === '') throw failure('the platform must have a name; it is empty');
      for (const flag of FLAGS)
        if (capabilities[flag] === false && !capabilities.reasons?.[flag]?.trim())
          throw failure(`capabilities.${flag} is false; capabilities.reasons.${flag} must say why`);
    },
  },
  {
    chapter: 'Declarations',
    name: 'can be restarted by its fixture, where it says that sessions survive that',
    why: 'A promise that nobody can try is worth nothing.',
    async run({ platform, fixture }) {
      if (platform.capabilities.survivesAgentRestart) requireRestart(fixture);
    },
  },
];
