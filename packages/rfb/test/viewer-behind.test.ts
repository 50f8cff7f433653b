import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { connectRfb, serveRfb, type Rect, type RfbClient, type ServeRfbOptions } from '@streamspace/rfb';
import { channels, TestDesktop, type TestChannel } from './support.js';

const open: TestChannel[] = [];
afterEach(() => {
  for (const channel of open.splice(0)) channel.abort();
});

/** A viewer that has seen all of the desktop, and asks for nothing. */
async function seen(desktop: TestDesktop, options: ServeRfbOptions = {}): Promise<RfbClient> {
  const [ours, theirs] = channels();
  open.push(ours, theirs);
  void serveRfb(ours, desktop, options);
  const client = await connectRfb(theirs);
  await client.request(false);
  await client.nextUpdate();
  await turn();
  return client;
}

async function update(client: RfbClient, area?: Rect) {
  await client.request(true, area);
  return (await client.nextUpdate()).rectangles;
}

function expectSame(client: RfbClient, desktop: TestDesktop): void {
  const { pixels } = desktop.framebuffer;
  expect(client.framebuffer.pixels.findIndex((pixel, index) => pixel !== pixels[index])).toBe(-1);
}

describe('A viewer that is behind', () => {
  it.each([
    [8, 8],
    [9, 0],
    [100, 1],
  ])('by %i moves is sent %i of them', async (moves, copies) => {
    const desktop = new TestDesktop(100, 100);
    const client = await seen(desktop);
    for (let count = 0; count < moves; count++) {
      desktop.move({ x: 10 * (count % 9), y: 80, width: 8, height: 8 }, 3 * (count % 7), 5 * (count % 11));
    }
    const rectangles = await update(client);
    expect(rectangles.filter(({ encoding }) => encoding === 'copyRect')).toHaveLength(copies);
    expectSame(client, desktop);
  });

  it.each([32, 33, 49])('by %i changes far apart is sent at most 32 rectangles', async (changes) => {
    const desktop = new TestDesktop(420, 420);
    const client = await seen(desktop);
    for (let index = 0; index < changes; index++) {
      desktop.fill({ x: 60 * (index % 7), y: 60 * Math.floor(index / 7), width: 20, height: 20 }, index);
    }
    const { length } = await update(client);
    if (changes === 32) expect(length).toBe(32);
    else expect(length).toBeLessThanOrEqual(32);
    expectSame(client, desktop);
  });

  it('by a move, and asks for a part of the screen, is sent nothing of what is beyond it', async () => {
    const desktop = new TestDesktop(64, 64);
    const client = await seen(desktop);
    desktop.move({ x: 0, y: 0, width: 30, height: 30 }, 32, 32);
    const part = { x: 0, y: 0, width: 8, height: 8 };
    expect(await update(client, part)).toMatchObject([{ ...part, encoding: 'raw' }]);
    await update(client);
    expectSame(client, desktop);
  });
});

it('A text of the desktop that is longer than the limit is not sent', async () => {
  const desktop = new TestDesktop(8, 8);
  const client = await seen(desktop, { limits: { cutTextBytes: 4 } });
  desktop.tell((view) => view.clipboard('12345'));
  await turn();
  desktop.tell((view) => view.clipboard('1234'));
  expect(await client.nextNotice()).toEqual({ type: 'serverCutText', text: '1234' });
});
