import { describe, expect, it } from 'vitest';
import { machines } from '../../scripts/docs/machines-page.js';

describe('docs/machines.md', () => {
  it('has numbered invariants for each machine', async () => {
    for (const { title, comment } of await machines())
      expect(comment, title).toMatch(/^Invariants:\n\n1\. /m);
  });

  it('has a diagram in which every state can be reached', async () => {
    for (const { title, states, initial, table } of await machines()) {
      const reached = new Set(initial);
      for (const state of reached)
        for (const { to, via = to } of Object.values(table[state] ?? {})) reached.add(to).add(via);
      expect([...reached].sort(), title).toEqual(Object.keys(states).sort());
    }
  });
});
