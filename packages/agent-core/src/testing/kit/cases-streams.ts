import type { KitCase } from './case.js';
import { hibernation } from './needs.js';

const IN_A_ROW = 24;

export const streams: readonly KitCase[] = [
  {
    chapter: 'Streams',
    name: 'gives each viewer a connection of its own',
    why: 'RFB is a conversation of two: a third who listens breaks it for all.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      const first = await one.open();
      const [second, third] = await Promise.all([one.open(), one.open()]);
      await Promise.all([
        first.exchange('the stream of the first of three viewers'),
        second.exchange('the stream of the second of three viewers'),
        third.exchange('the stream of the third of three viewers'),
      ]);
      await first.abort();
      await second.exchange('a stream, after that of another viewer was aborted,');
      await second.end();
      await third.exchange('a stream, after that of another viewer has ended,');
      await third.abort();
    },
  },
  {
    chapter: 'Streams',
    name: 'carries more than 64 KiB, in chunks of any size, and loses nothing',
    why: 'A byte that is lost makes another message of every one after it.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      const stream = await one.open();
      if (!(await stream.exchangeMuch())) return 'the viewer of the fixture has no exchangeMuch()';
      await stream.exchange('a stream after more than 64 KiB');
      await stream.abort();
      return undefined;
    },
  },
  {
    chapter: 'Streams',
    name: 'refuses connections to what is not there',
    why: 'The code decides whether the viewer tries again.',
    async run(kit) {
      const one = kit.session();
      const { sessionId } = one;
      await kit.refused('openStream to a session that is not there', ['session_not_found'], (signal) =>
        kit.platform.openStream(sessionId, 'vnc', signal),
      );
      await one.start();
      await kit.refused('openStream to a port that is not there', ['connect_failed'], (signal) =>
        kit.platform.openStream(sessionId, 'no-such-port', signal),
      );
      await one.stop();
      await kit.refused('openStream to a session that was stopped', ['session_not_found'], (signal) =>
        kit.platform.openStream(sessionId, 'vnc', signal),
      );
    },
  },
  {
    chapter: 'Streams',
    name: 'ends the connections of a session with the session',
    why: 'A viewer that is not told waits for ever, and holds what it holds.',
    async run(kit) {
      const [one, other] = await kit.twoSessions();
      const [first, second, beside] = [await one.open(), await one.open(), await other.open()];
      await one.stop();
      await first.ends('to a session that was stopped');
      await second.ends('to a session that was stopped');
      await beside.exchange('the stream of a session beside one that was stopped');
      await beside.abort();
    },
  },
  {
    chapter: 'Streams',
    name: 'ends the connections of a session that hibernates, and takes none until it wakes',
    why: 'A viewer of a sleeping session looks at a picture.',
    needs: [hibernation],
    async run(kit) {
      const one = kit.session();
      await one.start();
      const stream = await one.open();
      await one.hibernate();
      await stream.ends('to a session that hibernates');
      await one.openRefused('to a session that hibernates');
      await one.wake();
      await one.checkUsable();
    },
  },
  {
    chapter: 'Streams',
    name: 'keeps nothing of connections that are over',
    why: 'Over a day, a desktop is looked at hundreds of times.',
    async run(kit) {
      const one = kit.session();
      await one.start();
      const before = await kit.fixture.leftovers?.();
      for (let i = 0; i < IN_A_ROW; i++) {
        const stream = await one.open();
        await (i % 2 === 0 ? stream.abort() : stream.end());
      }
      if (before) await kit.checkNoMoreThan(before.length, `after ${IN_A_ROW} streams that are over`);
      await one.checkUsable();
      await one.stop();
      await kit.checkNothingLeft(`after ${IN_A_ROW} streams and a stop`);
    },
  },
];
