import {
  decodeAgentMessage,
  decodeControlMessage,
  decodeFrame,
  encodeFrame,
  encodeMessage,
  FRAME_HEADER_BYTES,
  LIMITS,
  type AgentMessage,
  type ControlMessage,
  type Frame,
} from '@streamspace/protocol';
import { borderFrame, borderMessage } from '../protocol/borders.js';
import { judgeFrame, judgeMessage } from '../protocol/judge.js';
import { boundedBy } from '../memory.js';
import { frameBytes, messageText, sampleAgentMessage, sampleControlMessage } from '../protocol/samples.js';
import { must, type Target } from '../target.js';

/** Longest sentence of an error, in characters: it goes into logs and answers. */
const ERROR_CHARS = 300;

/** The decoded value, or `undefined` where it was refused as it should be. */
function attempt<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    must(error instanceof Error && error.name === 'ProtocolError', `threw ${String(error)}`);
    must(error.message.length <= ERROR_CHARS, `an error text of ${error.message.length} characters`);
    return undefined;
  }
}

/** As text; half of a surrogate pair is what it becomes when it is written. */
const comparable = (value: unknown): string =>
  JSON.stringify(
    value,
    (_, part: unknown) =>
      typeof part === 'bigint'
        ? `${part}n`
        : part instanceof Uint8Array
          ? Buffer.from(part).toString('hex')
          : part,
    // Names of members as well, which only the text shows.
  ).replace(/(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g, '$1\ufffd');

const isShortened = (frame: Frame): boolean =>
  frame.kind === 'reset' && frame.reason.length > LIMITS.textChars;

/**
 * Decodes frames: what is at a limit is let in and what is beyond one refused; what is let in is what the bytes say,
 * and comes back the same when it is written and read again.
 */
export const frames: Target = {
  name: 'frames',
  casesPerRound: 1,
  round(random, record) {
    const border = random.chance(0.15) ? borderFrame(random) : undefined;
    const input = border?.input ?? frameBytes(random);
    record(input);
    // Inside a larger buffer, as sockets hand them out.
    const padded = new Uint8Array(input.length + 16).fill(0xee);
    padded.set(input, 8);
    const view = padded.subarray(8, 8 + input.length);
    const looked = Math.min(input.length, FRAME_HEADER_BYTES + LIMITS.frameBodyBytes);
    const frame = attempt(() => boundedBy(looked, () => decodeFrame(view)));
    if (border)
      must((frame !== undefined) === border.isAllowed, `${border.what} was ${frame ? 'let in' : 'refused'}`);
    if (!frame) return;
    judgeFrame(frame, Buffer.from(input.buffer, input.byteOffset, input.length));
    if (isShortened(frame)) return;
    const again = decodeFrame(encodeFrame(frame));
    must(
      comparable(again) === comparable(frame),
      `came back as ${comparable(again)}, was ${comparable(frame)}`,
    );
  },
  async [Symbol.asyncDispose]() {},
};

/** The same for messages of both directions, each as if it came from either end. */
export const messages: Target = {
  name: 'messages',
  casesPerRound: 1,
  round(random, record) {
    const isAgent = random.chance(0.5);
    const sample = isAgent ? sampleAgentMessage(random) : sampleControlMessage(random);
    const border = random.chance(0.15) ? borderMessage(random, sample) : undefined;
    const input = border?.input ?? messageText(random, sample);
    record(input);
    for (const decode of [decodeAgentMessage, decodeControlMessage]) {
      const looked = input.length > LIMITS.controlMessageChars ? 0 : input.length;
      const message = attempt<AgentMessage | ControlMessage>(() => boundedBy(looked, () => decode(input)));
      if (border && (decode === decodeAgentMessage) === isAgent)
        must(
          (message !== undefined) === border.isAllowed,
          `${border.what} was ${message ? 'let in' : 'refused'}`,
        );
      if (!message) continue;
      judgeMessage(message, input.length);
      const text = encodeMessage(message);
      // 1e20 takes four characters to read and 21 to write.
      if (text.length > LIMITS.controlMessageChars) continue;
      must(
        comparable(decode(text)) === comparable(message),
        `${comparable(message)} came back as something else`,
      );
    }
  },
  async [Symbol.asyncDispose]() {},
};
