import { CLOSE, decodeAgentMessage, encodeFrame, FRAME_HEADER_BYTES } from '@streamspace/protocol';
import { echo, expectEcho } from '../peers/echo.js';
import { GOOD, HubFixture } from '../peers/hub-fixture.js';
import type { Random } from '../random.js';
import { frameBytes, messageText, sampleAgentMessage } from '../protocol/samples.js';
import { asReceived, WAIT_MS } from '../peers/sockets.js';
import { must, within, type Target } from '../target.js';

const INPUTS = 24;
/** Malformed messages that a connection may send; docs/protocol.md. */
const MALFORMED_BUDGET = 5;
/** Characters of control messages that may wait; docs/protocol.md. */
const BACKLOG_CHARS = 8 * 1024 * 1024;
const POLICY = { role: 'control', clipboard: 'both' } as const;

/** What a connection that was welcomed has to be closed with, by what was sent on it. */
class Judge {
  readonly codes = new Set<number>();
  /** More was sent than may wait: whether that much waited is a matter of time. */
  mayOverflow = false;
  #chars = 0;
  #malformed = 0;

  see(input: Uint8Array | string): void {
    if (typeof input !== 'string') {
      if (input.length < FRAME_HEADER_BYTES) this.codes.add(CLOSE.protocolError);
      return;
    }
    this.#chars += input.length;
    if (this.#chars > BACKLOG_CHARS) this.mayOverflow = true;
    try {
      const message = decodeAgentMessage(asReceived(input));
      if (message.type === 'hello') this.codes.add(CLOSE.protocolError);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'unknown_message') return;
      this.#malformed += 1;
      if (this.#malformed > MALFORMED_BUDGET) this.codes.add(CLOSE.protocolError);
    }
  }
}

/** The good agent still carries out commands and passes bytes on. */
async function expectService(fixture: HubFixture, random: Random): Promise<void> {
  await fixture.command(GOOD);
  const stream = await fixture.hub.openStream({
    agentId: GOOD,
    sessionId: 'desk',
    port: 'echo',
    policy: POLICY,
  });
  await expectEcho(stream, random.bytes(200));
  stream.abort();
}

/**
 * A hub on real sockets, with an agent that says anything. It is closed with the right code or goes on being served,
 * and the well-behaved agent beside it notices nothing.
 */
export function hub(): Target {
  let starting: Promise<HubFixture> | undefined;
  return {
    name: 'hub',
    casesPerRound: INPUTS,
    async round(random, record) {
      const fixture = await (starting ??= HubFixture.start());
      const agentId = `fuzz-${random.id().toString(16)}`;
      const socket = await fixture.register(agentId);

      const stop = new AbortController();
      const request = { agentId, sessionId: 'desk', policy: POLICY, signal: stop.signal };
      const streams = [0, 1].map(() => fixture.hub.openStream(request).then(echo, () => {}));
      await socket.until('two OPEN frames', () => socket.frames.length >= 2 || !socket.isOpen);
      const ids = socket.frames.map((frame) => Buffer.from(frame).readBigUInt64BE(2));
      socket.send(encodeFrame({ kind: 'accept', streamId: ids[0]!, credit: 1_000 }));
      const commandIds = [await fixture.command(agentId), await fixture.command(agentId), 'c-0'];

      const judge = new Judge();
      for (let fed = 0; fed < INPUTS;) {
        const isFrame = random.chance(0.5);
        const input = isFrame
          ? frameBytes(random, ids)
          : messageText(random, sampleAgentMessage(random, commandIds));
        // Each of these ends the connection, and with it the round: few are enough.
        if (endsAtOnce(input) && !random.chance(0.05)) continue;
        fed += 1;
        record(input);
        judge.see(input);
        socket.send(input);
      }
      await socket.settle();
      if (judge.codes.size > 0) {
        const code = await within(WAIT_MS, `a close with ${[...judge.codes].join(' or ')}`, socket.closed);
        must(
          judge.codes.has(code) || (judge.mayOverflow && code === CLOSE.limitReached),
          `closed with ${code}, expected ${[...judge.codes].join(' or ')}`,
        );
      } else if (!socket.isOpen) {
        const code = await socket.closed;
        must(judge.mayOverflow && code === CLOSE.limitReached, `closed with ${code} for no reason`);
      }

      await expectService(fixture, random);
      await socket.close();
      stop.abort();
      await within(WAIT_MS, 'its streams to end', Promise.all(streams));
      must(fixture.problems.length === 0, fixture.problems.join('; '));
    },
    async [Symbol.asyncDispose]() {
      await (await starting?.catch(() => undefined))?.stop();
    },
  };
}

function endsAtOnce(input: Uint8Array | string): boolean {
  const judge = new Judge();
  judge.see(input);
  return judge.codes.size > 0;
}
