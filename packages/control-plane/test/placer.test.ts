import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { Placer } from '../src/domain/placer.js';
import type { StorageShortage } from '../src/domain/storage-room.js';

let placer: Placer | undefined;
afterEach(() => placer?.close());

it('places no session while there is no room to store, and does when there is some', async () => {
  const errors: unknown[] = [];
  let shortage: StorageShortage | undefined = { detail: 'The disk is full.', remedy: 'Free space.' };
  let askedForRoom = 0;
  let rounds = 0;
  placer = new Placer({
    sessions: {
      placeWaiting: async () => {
        rounds += 1;
        return [];
      },
    },
    room: {
      shortage: async () => {
        askedForRoom += 1;
        return shortage;
      },
    },
    wakeups: { sessionChanged: () => undefined, commandsWaiting: () => undefined },
    onEvent: () => undefined,
    onError: (error) => errors.push(error),
  });
  placer.kick();
  await expect.poll(() => askedForRoom).toBe(1);
  await sleep(0);
  expect(rounds).toBe(0);
  shortage = undefined;
  placer.kick();
  await expect.poll(() => rounds).toBe(1);
  expect(errors).toEqual([]);
});
