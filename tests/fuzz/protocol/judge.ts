import {
  ACTIONS,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  OBSERVED_STATES,
  RESET_CODE,
  type AgentMessage,
  type ControlMessage,
  type Frame,
} from '@streamspace/protocol';
import { must } from '../target.js';

/** What is wrong with a value that was let in, or `undefined`. */
type Rule = (value: unknown) => string | undefined;

const holds = (allowed: string, test: (value: unknown) => boolean): Rule => {
  return (value) => (test(value) ? undefined : `must be ${allowed}`);
};
const text = (max: number, min = 0): Rule =>
  holds(
    `a text of ${min} to ${max} characters`,
    (value) => typeof value === 'string' && value.length >= min && value.length <= max,
  );
const count = (min: number): Rule =>
  holds(
    `a whole number from ${min} to 2^53 - 1`,
    (value) => typeof value === 'number' && Number.isInteger(value) && value >= min && value <= 2 ** 53 - 1,
  );
const oneOf = (...allowed: readonly unknown[]): Rule =>
  holds(`one of ${allowed.join(', ')}`, (value) => allowed.includes(value));
const list = (entry: Rule): Rule => {
  return (value) => {
    if (!Array.isArray(value) || value.length > 10_000) return 'must be a list of at most 10000 entries';
    return (value as unknown[]).map(entry).find((wrong) => wrong !== undefined);
  };
};

/** What a database and any language can hold. */
const name = (max: number, min: number): Rule =>
  holds(
    `${min} to ${max} characters, neither NUL nor half a surrogate pair`,
    (value) => text(max, min)(value) === undefined && !/\0|\p{Surrogate}/u.test(value as string),
  );

const id = name(255, 1);
const sentence = text(4_096);
const amount = holds('a number of at least 0', (value) => Number.isFinite(value) && (value as number) >= 0);
const anyJson: Rule = (value) =>
  typeof value !== 'object' || value === null || Array.isArray(value)
    ? 'must be an object'
    : depthOf(value) > 64
      ? 'is nested deeper than 64 levels'
      : undefined;

/** How deep a value is nested, without recursion: what it finds may be too deep for that. */
export function depthOf(value: unknown): number {
  let depth = 0;
  for (let level = [value]; ; depth++) {
    const holders = level.filter((part): part is object => typeof part === 'object' && part !== null);
    if (holders.length === 0) return depth;
    level = holders.flatMap((holder) => Object.values(holder) as unknown[]);
  }
}

const object = (rules: Readonly<Record<string, Rule>>): Rule => {
  return (value) => {
    if (typeof value !== 'object' || value === null) return 'must be an object';
    for (const [name, part] of Object.entries(value)) {
      const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
      if (!rule) return `holds ${JSON.stringify(name)}, which nobody knows`;
      const wrong = rule(part);
      if (wrong !== undefined) return `${name}: ${wrong}`;
    }
    return undefined;
  };
};

const finished = object({ commandId: id, result: anyJson, error: sentence, code: id });
const capacity = object({ maxSessions: count(0), maxCpu: amount, maxMemory: amount });

/**
 * Every field of every payload, by its name; numbers as docs/protocol.md gives them, not as the package does. `version`
 * and the like are counted from 1.
 */
const FIELDS: Readonly<Record<string, Rule>> = {
  versions: list(count(0)),
  instanceId: id,
  fencingToken: count(0),
  highestFencingToken: count(0),
  incumbent: id,
  platform: id,
  region: name(100, 0),
  capacity,
  running: list(id),
  finished: object({ completed: list(finished), failed: list(finished) }),
  position: count(0),
  sessions: list(
    object({ sessionId: id, generation: count(0), commandId: id, state: oneOf(...OBSERVED_STATES) }),
  ),
  status: oneOf('online', 'draining'),
  activeSessions: count(0),
  commandId: id,
  sessionId: id,
  generation: count(0),
  result: anyJson,
  data: anyJson,
  payload: anyJson,
  error: sentence,
  message: sentence,
  reason: sentence,
  code: id,
  kind: id,
  state: oneOf(...OBSERVED_STATES),
  action: oneOf(...ACTIONS),
  version: count(1),
  epoch: count(1),
  heartbeatIntervalMs: count(1),
  inventoryIntervalMs: count(1),
  timeoutMs: count(1),
};
const payload = object(FIELDS);

/** Throws where a message that was decoded from so many characters is beyond what docs/protocol.md allows. */
export function judgeMessage(message: AgentMessage | ControlMessage, chars: number): void {
  const most = message.type === 'session_event' ? 65_536 : 2_097_152;
  must(chars <= most, `${message.type} of ${chars} characters was let in, allowed are ${most}`);
  const wrong = payload(message.payload);
  must(wrong === undefined, `${message.type} was let in though its payload ${wrong}`);
}

const policy = object({
  role: oneOf('control', 'view'),
  clipboard: oneOf('both', 'in', 'out', 'none'),
});
const attachment = object({ agentEpoch: count(0), viewerAttach: count(0) });
const request = object({ sessionId: id, port: id, policy, edge: id, attachment });

const KINDS = new Map<number, string>(Object.entries(FRAME_KIND).map(([name, kind]) => [kind, name]));

/** Throws where a frame that was decoded is not what its bytes say, or beyond the limits. */
export function judgeFrame(frame: Frame, bytes: Buffer): void {
  must(bytes.length >= FRAME_HEADER_BYTES, `a frame of ${bytes.length} bytes was let in`);
  const body = bytes.subarray(FRAME_HEADER_BYTES);
  const most = frame.kind === 'data' ? 65_510 : 16_384;
  must(body.length <= most, `a body of ${body.length} bytes was let in, allowed are ${most}`);
  must(frame.kind === KINDS.get(bytes[0]!), `kind ${bytes[0]} was read as ${frame.kind}`);
  must(frame.streamId === bytes.readBigUInt64BE(2), `the stream id was read as ${frame.streamId}`);
  const saysNumber = (name: string, value: number, at: number): void => {
    const said = bytes.readBigUInt64BE(at);
    must(said < 2n ** 53n, `${name} ${said} was let in`);
    must(BigInt(value) === said, `${name} ${said} was read as ${value}`);
  };
  const follows = (rule: Rule, value: unknown): void => {
    const wrong = rule(value);
    must(wrong === undefined, `${frame.kind} was let in though its body ${wrong}`);
  };
  switch (frame.kind) {
    case 'open':
      saysNumber('credit', frame.credit, 10);
      return follows(request, frame.request);
    case 'accept':
      return saysNumber('credit', frame.credit, 10);
    case 'data':
      saysNumber('offset', frame.offset, 10);
      must(BigInt(frame.offset) + BigInt(body.length) < 2n ** 53n, 'DATA beyond 2^53 - 1 was let in');
      return must(body.equals(frame.bytes), 'the payload is not that of the frame');
    case 'credit':
      saysNumber('consumed', frame.consumed, 10);
      return saysNumber('limit', frame.limit, FRAME_HEADER_BYTES);
    case 'ping':
    case 'pong':
      return saysNumber('nonce', frame.nonce, 10);
    case 'policy':
      return follows(policy, frame.policy);
    case 'end':
      return saysNumber('offset', frame.offset, 10);
    case 'reset':
      must(Object.hasOwn(RESET_CODE, frame.code), `reset with ${frame.code}`);
      return must(frame.reason === body.toString('utf8'), 'the reason is not that of the frame');
    case 'resume':
    case 'resumeAck':
      saysNumber('received', frame.received, 10);
      return follows(object({ edge: id, attachment }), frame.request);
  }
}
