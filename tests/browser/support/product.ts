import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../servers/free-port.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** A first start builds the page and makes a database. */
const START_MS = 90_000;
const STOP_MS = 15_000;

/** The product as `npm start` starts it, on a free port, with a data folder of its own. */
export interface Product extends AsyncDisposable {
  /** The link of the last line that it printed. */
  readonly link: string;
  readonly origin: string;
  /** Of loopback, where it listens. */
  readonly port: number;
  /** What it has printed since its last start, by lines. */
  lines(): readonly string[];
  /** Where a file of that name is below the data folder. */
  find(name: string): Promise<string | undefined>;
  /** Ends it without giving it a chance to say goodbye. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  startAgain(): Promise<void>;
}

/**
 * @param environment settings beside port and data folder
 * @param database folder of a new database that a copy is begun with: to make one takes seconds
 */
export async function startProduct(
  environment: Readonly<Record<string, string>> = {},
  database?: string,
): Promise<Product> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'streamspace-data-'));
  if (database !== undefined) await cp(database, join(dataFolder, 'db'), { recursive: true });
  const port = await freePort();
  const settings = { ...environment, PORT: String(port), STREAMSPACE_DATA_DIR: dataFolder };
  let run = new Run(settings);
  const dispose = async (): Promise<void> => {
    await run.stop('SIGTERM');
    await rm(dataFolder, { recursive: true, force: true });
  };
  const link = await run.link.catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  return {
    link,
    origin: new URL(link).origin,
    port,
    lines: () => run.output,
    find: async (name) => {
      const entries = await readdir(dataFolder, { recursive: true, withFileTypes: true });
      const entry = entries.find((one) => one.isFile() && one.name === name);
      return entry && join(entry.parentPath, entry.name);
    },
    kill: () => run.stop('SIGKILL'),
    startAgain: async () => {
      run = new Run(settings);
      await run.link;
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** One process of it. */
class Run {
  /** What `Open this:` names. Rejects with all that was printed, where it does not come to that. */
  readonly link: Promise<string>;
  readonly output: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(settings: Readonly<Record<string, string>>) {
    const child = spawn(process.execPath, ['--conditions=@streamspace/source', 'scripts/start.mjs'], {
      cwd: ROOT,
      env: { ...process.env, NODE_ENV: undefined, ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#exited = once(child, 'exit');
    this.link = new Promise((resolve, reject) => {
      const { output } = this;
      const fail = (why: string): void => {
        clearTimeout(timer);
        reject(new Error(`${why}\n${output.join('\n')}`));
      };
      const timer = setTimeout(() => fail(`No link within ${START_MS} ms.`), START_MS);
      child.once('exit', (code) => fail(`It ended with ${code}.`));
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          output.push(line);
          const found = /^Open this: (\S+)/.exec(line)?.[1];
          if (!found) return;
          clearTimeout(timer);
          resolve(found);
        });
      }
    });
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#exited;
    clearTimeout(timer);
  }
}
