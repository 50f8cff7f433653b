import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SessionUsage } from '@streamspace/agent-core';
import { mebibytes, type SessionLimits } from './resources.js';

/** Where cgroup v2 is mounted. */
const MOUNT = '/sys/fs/cgroup';
const CPU_PERIOD_US = 100_000;
/** Tries to remove a group, 20 ms apart: it is busy until the kernel has done with its last process. */
const REMOVE_TRIES = 50;

/** A cgroup of version 2 that is ours to divide among sessions. */
export class SessionGroups {
  private constructor(readonly folder: string) {}

  /**
   * Below `folder`, or below this process's own group; `undefined` where memory and processes cannot be limited there.
   */
  static async find(folder: string | undefined, name: string): Promise<SessionGroups | undefined> {
    const parent = folder ?? (await ownGroup());
    if (parent === undefined || !(await controllersOf(parent)).includes('memory')) return undefined;
    const ours = join(parent, name);
    try {
      await mkdir(ours, { recursive: true });
      const controllers = await controllersOf(ours);
      if (!controllers.includes('memory') || !controllers.includes('pids')) throw new Error('not delegated');
      const wanted = controllers.filter((one) => ['memory', 'pids', 'cpu'].includes(one));
      await writeFile(join(ours, 'cgroup.subtree_control'), wanted.map((one) => `+${one}`).join(' '));
      return new SessionGroups(ours);
    } catch {
      // Not writable, or its processes are not ours to divide: limits of single processes are what is left.
      await rmdir(ours).catch(() => undefined);
      return undefined;
    }
  }

  of(sessionId: string): SessionGroup {
    return new SessionGroup(join(this.folder, sessionId));
  }
}

/** The group of one session. */
export class SessionGroup {
  constructor(readonly folder: string) {}

  /** @returns what was limited, for an administrator */
  async create({ memoryBytes, processes, cpus }: SessionLimits): Promise<string> {
    await mkdir(this.folder, { recursive: true });
    const said: string[] = [];
    if (memoryBytes !== undefined) {
      await this.#write('memory.max', String(memoryBytes));
      said.push(`memory ${mebibytes(memoryBytes)}`);
    }
    if (processes !== undefined) {
      await this.#write('pids.max', String(processes));
      said.push(`${processes} processes`);
    }
    if (cpus !== undefined) {
      const done = await this.#write('cpu.max', `${Math.round(cpus * CPU_PERIOD_US)} ${CPU_PERIOD_US}`).then(
        () => true,
        () => false,
      );
      said.push(done ? `${cpus} CPUs` : 'CPU not limited: the controller is not delegated');
    }
    return `cgroup: ${said.join(', ') || 'none'}`;
  }

  /** A line of shell that puts the shell into the group. */
  get enter(): string {
    return `echo $$ > '${join(this.folder, 'cgroup.procs').replaceAll("'", "'\\''")}' || exit 125`;
  }

  /** How many processes the kernel has killed here for want of memory. */
  async outOfMemory(): Promise<number> {
    return Number(/^oom_kill (\d+)/m.exec(await this.#read('memory.events'))?.[1] ?? 0);
  }

  async usage(): Promise<SessionUsage> {
    const microseconds = Number(/^usage_usec (\d+)/m.exec(await this.#read('cpu.stat'))?.[1] ?? 0);
    return { cpuSeconds: microseconds / 1e6, memoryBytes: Number(await this.#read('memory.current')) };
  }

  /** Kills what is still in it, found or not, and removes it. */
  async remove(): Promise<void> {
    await this.#write('cgroup.kill', '1').catch(() => undefined);
    for (let tries = REMOVE_TRIES; ; tries--) {
      try {
        return await rmdir(this.folder);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') return;
        if (code !== 'EBUSY' || tries === 0) throw error;
      }
      await pause(20);
    }
  }

  async #read(name: string): Promise<string> {
    return await readFile(join(this.folder, name), 'latin1').catch(() => '');
  }

  async #write(name: string, text: string): Promise<void> {
    await writeFile(join(this.folder, name), text);
  }
}

async function controllersOf(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'cgroup.controllers'), 'latin1').catch(() => '');
  return text.split(/\s+/).filter(Boolean);
}

async function ownGroup(): Promise<string | undefined> {
  const text = await readFile('/proc/self/cgroup', 'latin1').catch(() => '');
  const path = /^0::(\/.*)$/m.exec(text)?.[1];
  return path === undefined ? undefined : join(MOUNT, path);
}
