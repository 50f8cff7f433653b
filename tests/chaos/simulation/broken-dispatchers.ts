import type { Command, CommandQueue } from '@streamspace/hub';
import { over } from './over.js';

/** Dispatchers that are wrong on purpose, as what they hand out: the checker has to see each of them. */
export type Broken = (queue: CommandQueue) => CommandQueue;

/** Forgets every third command that it was given to send. */
export const drops: Broken = (queue) => {
  const isDropped = ({ seq }: Command): boolean => seq % 3 === 0;
  return over(queue, {
    claim: async (...args) => (await queue.claim(...args)).filter((command) => !isDropped(command)),
  });
};

/** Does not notice that a command is finished, and sends it again over the next connection. */
export function doubles(): Broken {
  // It outlives the control plane, as a table would.
  const sent = new Map<string, { command: Command; epoch: number; finished: boolean }>();
  return (queue) =>
    over(queue, {
      claim: async (agentId, epoch, ...rest) => {
        const claimed = await queue.claim(agentId, epoch, ...rest);
        const again = [...sent.values()].filter((entry) => entry.finished && entry.epoch < epoch);
        for (const command of [...claimed, ...again.map((entry) => entry.command)])
          sent.set(command.commandId, { command, epoch, finished: false });
        return [...claimed, ...again.map((entry) => entry.command)];
      },
      finish: async (commandId, ...rest) => {
        const entry = sent.get(commandId);
        if (entry) entry.finished = true;
        return queue.finish(commandId, ...rest);
      },
    });
}

/** Sends a session's next command without waiting for the one before, and first. */
export function reorders(): Broken {
  const waiting = new Map<string, Command>();
  return (queue) =>
    over(queue, {
      enqueue: async (command) => {
        const made = await queue.enqueue(command);
        if (made.state === 'pending') waiting.set(`${made.sessionId} ${made.seq}`, made);
        return made;
      },
      claim: async (...args) =>
        (await queue.claim(...args)).flatMap((command) => {
          const next = waiting.get(`${command.sessionId} ${command.seq + 1}`);
          return next ? [next, command] : [command];
        }),
    });
}
