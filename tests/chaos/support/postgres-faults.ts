import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Postgres } from '../../servers/postgres.js';

/** What may befall a database server; whatever begins has an end. */
export interface Fault {
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
}

/** It is gone without a word, and comes back. */
export const restart = (server: Postgres): Fault => ({
  begin: () => server.crash(),
  end: () => server.start(),
});

/** Every process of it stands still, with its connections open. */
export function standstill({ dataFolder }: Postgres): Fault {
  const frozen: number[] = [];
  return {
    async begin() {
      const [line] = (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8')).split('\n');
      const postmaster = Number(line);
      // First itself, so that it starts no more.
      for (const pid of [postmaster, ...childrenOf(postmaster)]) {
        process.kill(pid, 'SIGSTOP');
        frozen.push(pid);
      }
    },
    end() {
      for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT');
    },
  };
}

/** It is there, ends the connections that there are, and takes no more. */
export const refusal = (server: Postgres): Fault => ({
  begin: () =>
    server.administer(
      `alter role ${server.user} connection limit 0`,
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${server.user}'`,
    ),
  end: () => server.administer(`alter role ${server.user} connection limit -1`),
});

function childrenOf(parent: number): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const [, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(ppid) === parent ? [Number(entry)] : [];
    } catch {
      // It ended while we looked.
      return [];
    }
  });
}
