import type { Random } from '../random.js';
import { ascii, u32 } from './wire.js';

export type Side = 'server' | 'client';

/** What one side says at once, and what of it has to arrive at the other. */
export interface Turn {
  readonly side: Side;
  readonly says: Uint8Array;
  readonly passes: Uint8Array;
}

export interface Handshake {
  readonly turns: readonly Turn[];
  /** The last turn is refused with this code. */
  readonly failure?: string;
  /** The server has refused the client: whatever else it says fails. */
  readonly isRefused?: boolean;
}

const greeting = (minor: number): Uint8Array => ascii(`RFB 003.${String(minor).padStart(3, '0')}\n`);
const BAD_GREETINGS = [
  'RFB 004.000\n',
  'RFB 03.0008\n',
  'GET / HTTP/1',
  '\0\0\0\0\0\0\0\0\0\0\0\0',
  'RFB 003.008 ',
];

/** A handshake of 3.3, 3.7 or 3.8, with None or VNC authentication, that goes wrong now and then. */
export function handshake(random: Random, isWatcher: boolean): Handshake {
  const turns: Turn[] = [];
  const same = (side: Side, ...says: number[]): void => {
    turns.push({ side, says: Uint8Array.from(says), passes: Uint8Array.from(says) });
  };
  const fails = (side: Side, says: ArrayLike<number>, failure: string): Handshake => {
    turns.push({ side, says: Uint8Array.from(says), passes: new Uint8Array() });
    return { turns, failure };
  };
  const goesWrong = (): boolean => random.chance(0.02);
  const early = (side: Side): Handshake => fails(side, [random.upTo(255), 1], 'bad_message');

  if (goesWrong()) return fails('client', greeting(8), 'bad_message');
  if (goesWrong()) return fails('server', ascii(random.pick(BAD_GREETINGS)), 'version_unsupported');
  const serverMinor = random.chance(0.8) ? 8 : random.pick([3, 5, 7, 889]);
  same('server', ...greeting(serverMinor));
  if (goesWrong()) return early('server');
  if (goesWrong()) return fails('client', ascii(random.pick(BAD_GREETINGS)), 'version_unsupported');
  const minor = random.pick([3, 7, 8, 8]);
  if (minor > serverMinor) return fails('client', greeting(minor), 'version_unsupported');
  if (goesWrong()) return fails('client', greeting(random.pick([0, 5, 9, 889])), 'version_unsupported');
  same('client', ...greeting(minor));

  let security = random.pick([1, 2]);
  if (minor === 3) {
    if (goesWrong()) return fails('client', [1], 'bad_message');
    if (goesWrong())
      return fails('server', u32(random.pick([5, 16, 19, 0x01000001])), 'security_unsupported');
    if (goesWrong()) security = 0;
    same('server', ...u32(security));
    if (security === 0) return { turns, isRefused: true };
  } else {
    if (goesWrong()) return fails('client', [1], 'bad_message');
    const unreadable = [5, 16, 19, 30, 129].slice(random.upTo(5));
    if (goesWrong())
      return fails('server', [unreadable.length + 1, ...unreadable, 0], 'security_unsupported');
    if (goesWrong()) {
      same('server', 0);
      return { turns, isRefused: true };
    }
    const readable = random.chance(0.5) ? [security] : [1, 2];
    const offered = random.chance(0.5) ? [...unreadable, ...readable] : [...readable, ...unreadable];
    turns.push({
      side: 'server',
      says: Uint8Array.of(offered.length, ...offered),
      passes: Uint8Array.of(readable.length, ...readable),
    });
    if (goesWrong()) return early('server');
    const choices = [0, 3, 5, 19, ...(readable.length === 1 ? [3 - security] : [])];
    if (goesWrong()) return fails('client', [random.pick(choices)], 'security_unsupported');
    same('client', security);
  }
  if (security === 2) {
    same('server', ...random.bytes(16));
    same('client', ...random.bytes(16));
  }
  if (security === 2 || minor === 8) {
    const result = goesWrong() ? random.pick([1, 2, 0x01000000]) : 0;
    same('server', ...u32(result));
    if (result !== 0) return { turns, isRefused: true };
  }
  const shared = random.upTo(1);
  turns.push({ side: 'client', says: Uint8Array.of(shared), passes: Uint8Array.of(isWatcher ? 1 : shared) });
  same('server', ...random.bytes(24 + random.upTo(8)));
  return { turns };
}
