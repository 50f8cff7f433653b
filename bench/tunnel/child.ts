/** What a benchmark's child process and its runner say to each other over Node's IPC channel. */
export type Question = 'cpu' | 'stop';
export type Answer = { port: number } | { cpuMicroseconds: number };

/** Reports that this child listens, then answers questions until it is stopped or the runner is gone. */
export function serveRunner(port: number): void {
  const answer = (message: Answer): void => void process.send?.(message);
  process.on('message', (question: Question) => {
    if (question === 'stop') process.exit(0);
    const { user, system } = process.cpuUsage();
    answer({ cpuMicroseconds: user + system });
  });
  process.on('disconnect', () => process.exit(0));
  answer({ port });
}

/** Where to connect to: the ports that the runner passed as arguments. */
export function portArgument(index: number): number {
  return Number(process.argv[2 + index]);
}
