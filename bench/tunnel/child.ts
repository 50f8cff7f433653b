/** What a benchmark's child process and its runner say to each other over Node's IPC channel. */
export type Question = 'cpu' | 'memory' | 'stop';
export interface Memory {
  /** JavaScript heap and what is held outside of it, after a collection, in bytes. */
  heldBytes: number;
  rssBytes: number;
}
export type Answer = { port: number } | { cpuMicroseconds: number } | Memory;

/** Reports that this child listens, then answers questions until it is stopped or the runner is gone. */
export function serveRunner(port: number): void {
  const answer = (message: Answer): void => void process.send?.(message);
  process.on('message', (question: Question) => {
    switch (question) {
      case 'stop':
        return process.exit(0);
      case 'memory': {
        globalThis.gc?.();
        globalThis.gc?.();
        const { heapUsed, external, rss } = process.memoryUsage();
        return answer({ heldBytes: heapUsed + external, rssBytes: rss });
      }
      case 'cpu': {
        const { user, system } = process.cpuUsage();
        return answer({ cpuMicroseconds: user + system });
      }
    }
  });
  process.on('disconnect', () => process.exit(0));
  answer({ port });
}

/** What the runner passed to this child. */
export function argument(index: number): string {
  return process.argv[2 + index] ?? '';
}

/** Where to connect to: the ports that the runner passed as arguments. */
export function portArgument(index: number): number {
  return Number(argument(index));
}
