import { memoryOwnership, type AgentOwnership } from '@streamspace/hub';
import { CLOSE, encodeMessage, LIMITS, type AgentMessage } from '@streamspace/protocol';
import { HubFixture } from '../peers/hub-fixture.js';
import { heldAfterCollection } from '../memory.js';
import type { Random } from '../random.js';
import { WAIT_MS } from '../peers/sockets.js';
import { must, within, type Target } from '../target.js';

const BURSTS = 12;
/** What may wait of one connection; docs/protocol.md. */
const BACKLOG = { messages: 1_024, chars: 8 * 1024 * 1024 };
/** Messages wait as text: so much of memory for each of its characters, and what sockets and the engine keep. */
const BYTES_PER_CHAR = 2;
const SLACK_BYTES = 12 * 1024 * 1024;
/** JSON that takes many times the memory of its text once it is read. */
const DENSE = ['[],', '{},', '[[]],', '{"a":{}},'];

const beat = encodeMessage({ type: 'heartbeat', payload: { status: 'online', activeSessions: 1 } }, 0);

/** A store that answers nothing of an agent that misbehaves while it is held up. */
class SlowOwnership implements AgentOwnership {
  readonly #real = memoryOwnership();
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => {};

  holdUp(): void {
    this.#gate = new Promise((resolve) => (this.#open = resolve));
  }

  goOn(): void {
    this.#open();
  }

  claim(...request: Parameters<AgentOwnership['claim']>): ReturnType<AgentOwnership['claim']> {
    return this.#real.claim(...request);
  }

  release(...release: Parameters<AgentOwnership['release']>): Promise<void> {
    return this.#real.release(...release);
  }

  async heard(...[agentId, epoch, report]: Parameters<AgentOwnership['heard']>): Promise<void> {
    if (agentId.startsWith('fuzz-')) await this.#gate;
    await this.#real.heard(agentId, epoch, report);
  }
}

/** Messages that are sound, each as often as it is to be sent. */
function burst(random: Random, isHeavy: boolean): { text: string; times: number; what: string } {
  if (!isHeavy || random.chance(0.6))
    return { text: beat, times: 1 + random.upTo(random.pick([3, 180])), what: 'a heartbeat' };
  const unit = random.pick(DENSE);
  const room = random.pick([1_000, LIMITS.controlMessageChars - 200]);
  const dense = unit.repeat(Math.floor(room / unit.length)).slice(0, -1);
  const message: AgentMessage = { type: 'complete', payload: { commandId: 'nobody-knows', result: {} } };
  const text = encodeMessage(message, 0).replace('"result":{}', `"result":{"a":[${dense}]}`);
  return { text, times: 1, what: `a result of ${text.length} characters, nothing but ${unit}` };
}

/**
 * A hub whose store does not answer, and an agent that goes on talking: what waits is bounded, what is beyond closes the
 * connection with its code, and what was within is dealt with once the store answers.
 */
export function backlog(): Target {
  const ownership = new SlowOwnership();
  let starting: Promise<HubFixture> | undefined;
  return {
    name: 'backlog',
    casesPerRound: BURSTS,
    async round(random, record) {
      const fixture = await (starting ??= HubFixture.start(ownership));
      const socket = await fixture.register(`fuzz-${random.id().toString(16)}`);
      await socket.settle();
      const before = heldAfterCollection();
      ownership.holdUp();
      const isHeavy = random.chance(0.3);
      let messages = 0;
      let chars = 0;
      try {
        socket.send(beat);
        for (let left = BURSTS; left > 0; left--) {
          const { text, times, what } = burst(random, isHeavy);
          record(`${times} times ${what}`);
          for (let sent = 0; sent < times; sent++) socket.send(text);
          messages += times;
          chars += times * text.length;
        }
        await socket.settle();
        const held = heldAfterCollection() - before;
        const most = SLACK_BYTES + BYTES_PER_CHAR * Math.min(chars, BACKLOG.chars);
        must(held <= most, `${held} bytes are held for ${messages} messages of ${chars} characters`);
        // The first one is being dealt with, and counts.
        const isTooMuch = messages + 1 > BACKLOG.messages || chars + beat.length > BACKLOG.chars;
        if (isTooMuch) {
          const code = await within(WAIT_MS, 'a close', socket.closed);
          must(code === CLOSE.limitReached, `closed with ${code}, expected ${CLOSE.limitReached}`);
        } else must(socket.isOpen, `${messages} messages of ${chars} characters were too much`);
      } finally {
        ownership.goOn();
      }
      if (socket.isOpen) {
        // Read when everything before it has been dealt with.
        socket.send('no JSON');
        await socket.next('error');
        await socket.close();
      }
      must(fixture.problems.length === 0, fixture.problems.join('; '));
    },
    async [Symbol.asyncDispose]() {
      await (await starting?.catch(() => undefined))?.stop();
    },
  };
}
