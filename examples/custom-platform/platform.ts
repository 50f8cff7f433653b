import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectTcp, definePlatform, PlatformError } from '@streamspace/agent-core';
import type { Platform, PlatformSession } from '@streamspace/agent-core';

/**
 * Where a VNC server without a password listens, so that the agent alone can reach it. All connections come from the
 * agent: a server that locks out who hangs up early must not (TigerVNC: `-UseBlacklist=0`).
 */
export interface Machine {
  readonly host: string;
  readonly port: number;
}

/**
 * Desktops that are there already: machines with a VNC server, each given to one session at a time.
 *
 * A session is a claim: a file that is called like its machine, and says which agent has it and by which command.
 * Nothing is known that is not in a claim, so it does not matter when an agent dies: the next one of its id goes on.
 *
 * @param folder where the claims are kept; agents that share machines share it
 * @param agentId whose claims are listed, ended and connected to; those of other agents only keep machines taken
 */
export function machinePool(machines: Record<string, Machine>, folder: string, agentId: string): Platform {
  const claimOf = (machine: unknown): string => join(folder, `${String(machine)}.claim`);

  async function answers(machine: Machine, signal: AbortSignal): Promise<boolean> {
    const channel = await connectTcp({ ...machine, signal }).catch(() => undefined);
    channel?.abort();
    return channel !== undefined;
  }

  return definePlatform({
    name: 'machines',
    capabilities: {
      hibernate: false,
      survivesAgentRestart: true,
      reasons: { hibernate: 'A machine that is put aside is one that nobody can use.' },
    },

    async list() {
      await mkdir(folder, { recursive: true });
      const claims = (await readdir(folder)).filter((name) => name.endsWith('.claim'));
      const texts = await Promise.all(
        claims.map((name) => readFile(join(folder, name), 'utf8').catch(ifGone)),
      );
      return texts
        .flatMap((text) => (text === undefined ? [] : [JSON.parse(text) as PlatformSession]))
        .filter(({ details }) => details?.['agent'] === agentId);
    },

    async start({ sessionId }, change, signal) {
      for (const [name, machine] of Object.entries(machines)) {
        const details = { machine: name, agent: agentId };
        const session: PlatformSession = { sessionId, ...change, state: 'running', details };
        const draft = join(folder, `${randomUUID()}.draft`);
        await writeFile(draft, JSON.stringify(session));
        // A link is made in one step, and only where nobody else was faster.
        const won = await link(draft, claimOf(name))
          .then(() => true, ifTaken)
          .finally(() => rm(draft));
        if (!won) continue;
        if ((await answers(machine, signal)) && !signal.aborted) return session;
        await rm(claimOf(name));
        signal.throwIfAborted();
      }
      throw new PlatformError('capacity_exhausted', 'every machine is taken or does not answer', true);
    },

    async stop({ details }) {
      await rm(claimOf(details?.['machine']), { force: true });
    },

    async connect({ details }, port, signal) {
      if (port !== 'vnc')
        throw new PlatformError('connect_failed', `a machine has the port vnc, not ${port}`);
      const machine = machines[String(details?.['machine'])];
      if (!machine) throw new PlatformError('connect_failed', 'its machine is not in the pool any more');
      return connectTcp({ ...machine, signal });
    },
  });
}

const has = (error: unknown, code: string): boolean => (error as { code?: unknown }).code === code;

/** A claim that was given back while the others were read is no claim. */
function ifGone(error: unknown): undefined {
  if (!has(error, 'ENOENT')) throw error;
}

function ifTaken(error: unknown): false {
  if (!has(error, 'EEXIST')) throw error;
  return false;
}
