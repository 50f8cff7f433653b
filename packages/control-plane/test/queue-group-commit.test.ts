import { describe, expect, it } from 'vitest';
import { DatabaseError } from '../src/stores/database-error.js';
import { AGAIN, GroupCommit, type LaneOptions } from '../src/stores/group-commit.js';

interface Item {
  readonly key: string;
  readonly value: number;
}

/** A lane whose statements are written down and settle when the test says so. */
function open(more: Partial<LaneOptions<Item, number>> = {}, commit = new GroupCommit()) {
  const statements: { items: readonly Item[]; answer: (error?: Error) => void }[] = [];
  const lane = commit.lane<Item, number>({
    name: 'test',
    keyOf: ({ key }) => key,
    write: (items) =>
      new Promise((resolve, reject) =>
        statements.push({
          items,
          answer: (error) => (error ? reject(error) : resolve(items.map(({ value }) => value))),
        }),
      ),
    ...more,
  });
  const values = (): number[][] => statements.map(({ items }) => items.map(({ value }) => value));
  return { lane, statements, values };
}

const item = (value: number, key = `key ${value}`): Item => ({ key, value });

describe('a group commit', () => {
  it('has two statements in flight, and what comes meanwhile rides in the next', async () => {
    const { lane, statements, values } = open();
    const first = lane.add(item(1));
    await expect.poll(values).toEqual([[1]]);
    const second = lane.add(item(2));
    await expect.poll(values).toEqual([[1], [2]]);
    const rest = [3, 4, 5].map((value) => lane.add(item(value)));
    await new Promise(setImmediate);
    expect(values()).toEqual([[1], [2]]);
    statements[0]!.answer();
    expect(await first).toBe(1);
    await expect.poll(values).toEqual([[1], [2], [3, 4, 5]]);
    statements[1]!.answer();
    statements[2]!.answer();
    expect(await Promise.all([second, ...rest])).toEqual([2, 3, 4, 5]);
  });

  it('shares its statements among lanes, the one that waits for longest first', async () => {
    const commit = new GroupCommit();
    const [a, b] = [open({}, commit), open({}, commit)];
    const all = [a.lane.add(item(1)), b.lane.add(item(2)), b.lane.add(item(3)), a.lane.add(item(4))];
    await expect.poll(() => [a.values(), b.values()]).toEqual([[[1, 4]], [[2, 3]]]);
    all.push(b.lane.add(item(5)), a.lane.add(item(6)));
    a.statements[0]!.answer();
    await expect.poll(b.values).toEqual([[2, 3], [5]]);
    expect(a.values()).toHaveLength(1);
    b.statements.forEach(({ answer }) => answer());
    await expect.poll(a.values).toHaveLength(2);
    a.statements[1]!.answer();
    expect(await Promise.all(all)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('never has one key in two statements at once, nor twice in one, and keeps the order', async () => {
    const { lane, statements, values } = open();
    const all = [1, 2, 3].map((value) => lane.add(item(value, 'same')));
    all.push(lane.add(item(4)));
    await expect.poll(values).toEqual([[1, 4]]);
    statements[0]!.answer();
    await expect.poll(values).toEqual([[1, 4], [2]]);
    statements[1]!.answer();
    await expect.poll(values).toEqual([[1, 4], [2], [3]]);
    statements[2]!.answer();
    expect(await Promise.all(all)).toEqual([1, 2, 3, 4]);
  });

  it('lets one bad item fail alone', async () => {
    const write = async (items: readonly Item[]): Promise<number[]> => {
      if (items.some(({ value }) => value === 7)) throw new DatabaseError('constraint', 'seven');
      return items.map(({ value }) => value);
    };
    const { lane } = open({ write });
    const settled = await Promise.allSettled(Array.from({ length: 50 }, (_, value) => lane.add(item(value))));
    expect(
      settled.map(({ status }, value) => (status === 'rejected' ? value : -1)).filter((v) => v >= 0),
    ).toEqual([7]);
    expect(settled[7]).toMatchObject({ reason: { code: 'constraint' } });
  });

  it('repeats a statement that lost a deadlock, and puts an item off whose row changed', async () => {
    let calls = 0;
    const { lane } = open({
      write: async (items) => {
        calls += 1;
        if (calls === 1) throw new DatabaseError('conflict', 'deadlock');
        return items.map(({ value }) => (calls === 2 && value === 2 ? AGAIN : value));
      },
    });
    expect(await Promise.all([lane.add(item(1)), lane.add(item(2))])).toEqual([1, 2]);
    expect(calls).toBe(3);
  });

  it('gives an item up whose row never stays as it is', async () => {
    const { lane } = open({ write: async (items) => items.map(() => AGAIN) });
    await expect(lane.add(item(1))).rejects.toMatchObject({ code: 'conflict', shouldRetry: true });
  });

  it('tells all of a statement when the database is away, without trying each', async () => {
    let calls = 0;
    const { lane } = open({
      write: async () => {
        calls += 1;
        throw new DatabaseError('unavailable', 'away');
      },
    });
    const all = await Promise.allSettled([1, 2, 3].map((value) => lane.add(item(value))));
    expect(all.every(({ status }) => status === 'rejected')).toBe(true);
    expect(calls).toBe(1);
  });

  it('refuses more than may wait, with an error that says to retry', async () => {
    const { lane, statements } = open();
    const all: Promise<number>[] = [];
    for (let value = 0; value < 20_000; value++) all.push(lane.add(item(value)));
    await expect(lane.add(item(20_000))).rejects.toMatchObject({ code: 'overloaded', shouldRetry: true });
    for (let at = 0; at < 40; at++) {
      await expect.poll(() => statements.length).toBeGreaterThan(at);
      statements[at]!.answer();
    }
    expect(await Promise.all(all)).toHaveLength(20_000);
  });
});
