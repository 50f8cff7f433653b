/** What {@link Liveness} needs to know. */
export interface LivenessOptions {
  /** How long nothing may arrive after the viewer sent input, in ms; {@link PATIENCE} times that once it has asked. */
  readonly silentMs: number;
  /** Asks the far end for something that it has to answer. */
  readonly ask: () => void;
  /** Nothing came: the path is dead. Called once. */
  readonly onSilent: () => void;
}

/** First bytes of the RFB messages that a person's doing causes: RFC 6143 section 7.5 and its registered extensions. */
const INPUT: ReadonlySet<number | undefined> = new Set([
  4, // KeyEvent
  5, // PointerEvent
  6, // ClientCutText
  251, // SetDesktopSize
  255, // QEMU extended key event
]);

/** How much longer an answer may take than input: a server that is busy answers late, and is not to be dialled anew. */
const PATIENCE = 3;

/** The slowest way up that is taken for alive, in bytes per ms: a long text to paste delays the answer by that. */
const SLOWEST_UPLINK = 32;

/** A timer that is this much too late proves nothing, in ms: the machine slept, or the page was busy. */
const LATE_MS = 1_000;

/**
 * Notices that nothing comes through any more, though the socket says nothing of it: a browser cannot send pings, and a
 * path that swallows everything swallows the end of the connection too.
 *
 * States: *quiet*, until the person gives input; *waiting* for anything to arrive, `silentMs` long; then *asked*, three
 * times as long, and for as long as what was sent may take; then *over*. Whatever arrives leads back to quiet. Without
 * input nothing is ever sent, so that a desktop that nobody uses stays idle, and a server's idle limit holds.
 */
export class Liveness {
  readonly #options: LivenessOptions;
  #state: 'quiet' | 'waiting' | 'asked' | 'over' = 'quiet';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAt = 0;
  /** Bytes that may still be on their way up, on the slowest way there is, and when that was so. */
  #onTheWay = 0;
  #countedAt = 0;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  /** To be told of each message that is sent. */
  sent(message: Uint8Array): void {
    this.#onTheWay = this.#left() + message.length;
    if (INPUT.has(message[0])) this.doubt();
  }

  /** To be told whenever anything arrives. */
  arrived(): void {
    if (this.#state === 'over' || this.#state === 'quiet') return;
    this.#state = 'quiet';
    clearTimeout(this.#timer);
  }

  /** Somebody wants to know whether the path still works: as good as input. */
  doubt(): void {
    if (this.#state !== 'quiet') return;
    this.#state = 'waiting';
    this.#arm(this.#options.silentMs);
  }

  /** Stops for good. */
  stop(): void {
    this.#state = 'over';
    clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    this.#dueAt = performance.now() + ms;
    this.#timer = setTimeout(() => this.#due(), ms);
  }

  /** What comes down says nothing of what goes up: only time takes away from that. */
  #left(): number {
    const now = performance.now();
    this.#onTheWay = Math.max(0, this.#onTheWay - (now - this.#countedAt) * SLOWEST_UPLINK);
    this.#countedAt = now;
    return this.#onTheWay;
  }

  #due(): void {
    const late = performance.now() - this.#dueAt > LATE_MS;
    if (this.#state === 'asked' && !late) {
      this.#state = 'over';
      this.#options.onSilent();
      return;
    }
    this.#state = 'asked';
    this.#options.ask();
    this.#arm(this.#options.silentMs * PATIENCE + this.#left() / SLOWEST_UPLINK);
  }
}
