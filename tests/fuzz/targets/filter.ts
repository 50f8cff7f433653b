import { setImmediate as turn } from 'node:timers/promises';
import { filterChannel, RfbPolicyFilter, type ClosingChannel, type RfbPolicy } from '@streamspace/rfb';
import { whatPasses, type Passed, type PolicyChange } from '../rfb/filter-model.js';
import { handshake, type Side } from '../rfb/handshake.js';
import { mutateBytes } from '../mutate.js';
import type { Random } from '../random.js';
import { must, type Target } from '../target.js';
import { unknownMessage, VIEWER_MESSAGES, viewerMessage } from '../rfb/viewer-traffic.js';
import { CUTS, cutUp, joined, type Cut } from '../rfb/wire.js';

/** Small, so that what goes beyond them is. */
const LIMITS = { cutTextBytes: 96, encodings: 12, screens: 3, fenceBytes: 20 };
/** The most that may wait of a message that is to pass as it is: its head. */
const HELD_BYTES = 9;

const anyPolicy = (random: Random): RfbPolicy => ({
  role: random.pick(['control', 'view'] as const),
  clipboard: random.pick(['both', 'in', 'out', 'none'] as const),
});

/** What the client says once it is in, and the policies over it. */
function conversation(random: Random, first: RfbPolicy): { bytes: Uint8Array; policies: PolicyChange[] } {
  const policies = [{ at: 0, policy: first }];
  const messages: Uint8Array[] = [];
  let at = 0;
  for (let left = random.upTo(12); left > 0; left--) {
    const message = viewerMessage(random, random.pick(VIEWER_MESSAGES), LIMITS);
    messages.push(message);
    at += message.length;
    if (random.chance(0.1)) policies.push({ at, policy: anyPolicy(random) });
  }
  if (random.chance(0.1)) messages.push(unknownMessage(random));
  const whole = joined(messages);
  const roll = random.next();
  if (roll < 0.5) return { bytes: whole, policies };
  if (roll < 0.7) return { bytes: whole.subarray(0, random.upTo(whole.length)), policies };
  return { bytes: mutateBytes(random, whole, whole), policies };
}

/** One filter, and what has come out of it. */
interface Tap {
  push(side: Side, bytes: Uint8Array): Promise<Uint8Array> | Uint8Array;
}

const direct = (filter: RfbPolicyFilter): Tap => ({
  push: (side, bytes) => (side === 'client' ? filter.fromClient(bytes) : filter.fromServer(bytes)).slice(),
});

/** The same through a channel: what is written to it, and read from it, is what passes. */
function throughChannel(filter: RfbPolicyFilter): Tap {
  const incoming: Uint8Array[] = [];
  let arrived = (): void => {};
  let written: Uint8Array[] = [];
  let aborted: Error | undefined;
  const server: ClosingChannel = {
    async read() {
      while (incoming.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
      return incoming.shift()!;
    },
    write: async (bytes) => void written.push(bytes.slice()),
    end: async () => {},
    abort: (reason) => void (aborted = reason),
    closed: new Promise(() => {}),
  };
  const viewer = filterChannel(server, filter);
  let passed: Uint8Array[] = [];
  let failure: unknown;
  const reading = async (): Promise<void> => {
    for (let bytes = await viewer.read(); bytes; bytes = await viewer.read()) {
      must(bytes.length > 0, 'read answered with nothing');
      passed.push(bytes.slice());
    }
  };
  reading().catch((error: unknown) => (failure = error));
  return {
    async push(side, bytes) {
      written = [];
      passed = [];
      try {
        if (side === 'client') await viewer.write(bytes);
        else {
          incoming.push(bytes.slice());
          arrived();
          await turn();
          if (failure !== undefined) throw failure as Error;
        }
      } catch (error) {
        must(aborted === error, 'the channel was not aborted with what the filter threw');
        throw error;
      }
      return joined(side === 'client' ? written : passed);
    },
  };
}

/** Pushes bytes in parts that are overwritten at once, and gives what came out; the failure's code last. */
async function feed(
  tap: Tap,
  side: Side,
  parts: readonly Uint8Array[],
): Promise<{ out: Uint8Array; failure: string | undefined }> {
  const out: Uint8Array[] = [];
  for (const part of parts) {
    try {
      const pushed = tap.push(side, part);
      out.push(pushed instanceof Uint8Array ? pushed : await pushed);
    } catch (error) {
      return { out: joined(out), failure: codeOf(error) };
    }
    part.fill(0xaa);
  }
  return { out: joined(out), failure: undefined };
}

function codeOf(error: unknown): string {
  must(error instanceof Error && error.name === 'RfbError', `threw ${String(error)}`);
  return (error as Error & { code: string }).code;
}

const startsWith = (bytes: Uint8Array, start: Uint8Array): boolean =>
  Buffer.from(bytes.subarray(0, start.length)).equals(start);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What is wrong with what came out of the client's bytes, or `undefined`. */
function objection(
  expected: Passed,
  got: { out: Uint8Array; failure: string | undefined },
  filter: RfbPolicyFilter,
  cut: Cut,
): string | undefined {
  const { certain, perhaps, failure } = expected;
  if (got.failure !== failure) return `ended with ${got.failure}, expected ${failure}`;
  if (!startsWith(joined([certain, perhaps]), got.out))
    return `${hex(got.out)} passed, expected ${hex(certain)} and perhaps ${hex(perhaps)}`;
  // A push that fails takes what it had let pass before with it.
  const least =
    failure === undefined ? certain.length + Math.max(0, perhaps.length - HELD_BYTES) : certain.length;
  if ((failure === undefined || cut === 'bytes') && got.out.length < least)
    return `${got.out.length} bytes passed, expected are ${least} at least: ${hex(certain)} ${hex(perhaps)}`;
  if (!expected.isWhole) return undefined;
  return filter.dropped === expected.dropped && filter.inputs === expected.inputs
    ? undefined
    : `${filter.dropped} dropped and ${filter.inputs} inputs, expected ${expected.dropped} and ${expected.inputs}`;
}

/** Bytes up to each change of policy and from there on. */
function* underPolicies(
  bytes: Uint8Array,
  policies: readonly PolicyChange[],
): Generator<{ policy: RfbPolicy; bytes: Uint8Array }> {
  for (const [index, { at, policy }] of policies.entries())
    yield { policy, bytes: bytes.subarray(at, policies[index + 1]?.at ?? bytes.length) };
}

/** Whole conversations through a filter: what comes out is what a model, made of whole messages, says. */
export const filter: Target = {
  name: 'filter',
  casesPerRound: 1,
  async round(random, record) {
    const policy = anyPolicy(random);
    const cut = random.pick(CUTS);
    const subject = new RfbPolicyFilter(policy, { limits: LIMITS });
    const tap = random.chance(0.05) ? throughChannel(subject) : direct(subject);
    const { turns, failure, isRefused } = handshake(random, policy.role === 'view');
    let said: { side: Side; code: string } | undefined;
    for (const [index, { side, says, passes }] of turns.entries()) {
      record(says);
      const expected = index === turns.length - 1 ? failure : undefined;
      const got = await feed(tap, side, cutUp(random, says, cut));
      must(got.failure === expected, `turn ${index} ended with ${got.failure}, expected ${expected}`);
      must(
        Buffer.from(passes).equals(got.out),
        `of turn ${index} ${hex(got.out)} passed, not ${hex(passes)}`,
      );
      if (got.failure !== undefined) said = { side, code: got.failure };
    }

    const { bytes, policies } = conversation(random, policy);
    record(bytes);
    if (isRefused) {
      const got = await feed(tap, 'client', cutUp(random, Uint8Array.of(3, ...bytes), cut));
      must(got.failure === 'bad_message' && got.out.length === 0, 'a client that was refused goes on');
      said = { side: 'client', code: 'bad_message' };
    }
    if (!said) {
      const got: { out: Uint8Array; failure: string | undefined } = {
        out: new Uint8Array(),
        failure: undefined,
      };
      for (const stretch of underPolicies(bytes, policies)) {
        subject.policy = stretch.policy;
        const { out, failure } = await feed(tap, 'client', cutUp(random, stretch.bytes, cut));
        got.out = joined([got.out, out]);
        got.failure = failure;
        if (failure !== undefined) break;
        const others = random.bytes(random.upTo(40));
        const { out: passed } = await feed(tap, 'server', cutUp(random, others, cut));
        must(Buffer.from(others).equals(passed), 'what the server says does not pass unchanged');
      }
      const wrong = objection(whatPasses(bytes, policies, LIMITS), got, subject, cut);
      must(wrong === undefined, `${JSON.stringify(policies)}, cut ${cut}: ${wrong}`);
      if (got.failure !== undefined) said = { side: 'client', code: got.failure };
    }
    if (said) {
      const again = await feed(direct(subject), said.side, [Uint8Array.of(4, 1, 0, 0, 0, 0, 0, 97)]);
      must(again.failure === said.code, `failed with ${said.code}, then with ${again.failure}`);
    }
  },
  async [Symbol.asyncDispose]() {},
};
