import { randomUUID } from 'node:crypto';
import type { NewCommand, Outcome } from '@streamspace/hub';
import type { hubAndAgent } from './hub-and-agent.js';

type Stage = Awaited<ReturnType<typeof hubAndAgent>>;

/** A command for `agent-1`, with a minute's time. */
export const newCommand = (
  action: NewCommand['action'],
  sessionId: string,
  more: Partial<NewCommand> = {},
): NewCommand => ({
  commandId: randomUUID(),
  agentId: 'agent-1',
  sessionId,
  generation: 1,
  action,
  payload: { user: 'someone', template: 'files', templateManifest: {} },
  deadline: Date.now() + 60_000,
  ...more,
});

/** Issues commands to a stage's agents and keeps what became of them. */
export function commander(stage: Stage) {
  /** First outcomes by command id, in the order in which they came. */
  const outcomes = new Map<string, Outcome>();
  const { commands } = stage;
  const finish = commands.finish.bind(commands);
  commands.finish = async (commandId, agentId, outcome, epoch) => {
    const first = await finish(commandId, agentId, outcome, epoch);
    if (first) outcomes.set(commandId, outcome);
    return first;
  };
  return {
    outcomes,
    async issue(command: NewCommand): Promise<NewCommand> {
      await commands.enqueue(command);
      stage.hub.wake(command.agentId);
      return command;
    },
  };
}
