/** A System V shared memory segment. */
export interface Segment {
  readonly id: number;
  readonly bytes: number;
  /** Pid of the process that made it; 0 where that is in another PID namespace. */
  readonly creator: number;
  /** How many processes use it. */
  readonly attached: number;
  /** The creator's user. */
  readonly user: number;
}

export function readSegments(): Segment[];
export function parseSegments(text: string): Segment[];
export function leftSegments(
  before: readonly Segment[],
  after: readonly Segment[],
  options: { isAlive(pid: number): boolean; user: number },
): Segment[];
export function findLeftSegments(before: readonly Segment[]): Promise<Segment[]>;
export function describeSegments(segments: readonly Segment[]): string;
