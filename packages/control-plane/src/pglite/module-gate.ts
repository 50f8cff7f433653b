import type { Extension } from '@electric-sql/pglite';
import { DatabaseError } from '../stores/database-error.js';
import { ErrorResponses } from './error-responses.js';

/** What PGlite enters its WebAssembly module by, once the database runs. */
const ENTRIES = [
  '_PostgresMainLoopOnce',
  '_PostgresMainLongJmp',
  '_PostgresSendReadyForQueryIfNecessary',
  '_pq_buffer_remaining_data',
  '_pgl_pq_flush',
  '_pgl_setPGliteActive',
  '_pgl_run_atexit_funcs',
  '_IsTransactionBlock',
  '_emscripten_force_exit',
  'stackSave',
  'stackRestore',
] as const;

/** The entry that carries out messages. It may throw {@link LONGJMP}; what else any entry throws ends the database. */
const EXECUTE = '_PostgresMainLoopOnce';
/** Exit status with which PGlite's build of PostgreSQL leaves the module at an ordinary error, to be entered again. */
const LONGJMP = 100;
/** Exit status of a module that ends as it was asked to. */
const CLEAN_EXIT = 0;
/** Signature of the functions by which the module reads and writes messages: `int f(pointer, length)`. */
const SOCKET_SIGNATURE = 'ipi';

const FATAL_SEVERITIES: ReadonlySet<string> = new Set(['FATAL', 'PANIC']);

type AnyFunction = (...args: unknown[]) => unknown;

/** What of the WebAssembly module is needed here; PGlite does not type it. */
interface PostgresModule {
  [name: string]: unknown;
  HEAPU8: Uint8Array;
  addFunction(run: AnyFunction, signature: string): number;
  _pgl_set_rw_cbs(read: number, write: number): void;
  FS: { quit: AnyFunction };
}

export interface ModuleGateOptions {
  /** What the database is called in errors, for example `PGlite in /var/lib/desk/db`. */
  readonly name: string;
  /** A message is about to be carried out. */
  beforeMessage?(): void;
  /** The host's error behind the present failure, where there is one. */
  hostFailure?(): Error | undefined;
}

/**
 * Stands between PGlite and its WebAssembly module, and lets nothing in once PostgreSQL has stopped.
 *
 * A gate: open → shut. It shuts when PostgreSQL sends an error of severity FATAL or PANIC, and when the module throws
 * anything but an ordinary error's jump. PGlite itself goes on after such an end: it swallows the exception, asks the
 * module whether there is more to do, and sends `sync`, ROLLBACK and the end. A module that has panicked answers some of
 * that, loops for ever in other parts of it, or does what it was told on top of half a statement.
 */
export class ModuleGate {
  readonly #options: ModuleGateOptions;
  readonly #responses = new ErrorResponses();
  #stopped: DatabaseError | undefined;
  #onStop: ((error: DatabaseError) => void) | undefined;

  constructor(options: ModuleGateOptions) {
    this.#options = options;
  }

  /** Why the database has stopped; `undefined` while it runs. */
  get stopped(): DatabaseError | undefined {
    return this.#stopped;
  }

  /** Calls `listener` when the database stops, on the stack of the call that it stops in. */
  onStop(listener: (error: DatabaseError) => void): void {
    this.#onStop = listener;
  }

  /** The extension of PGlite by which the gate reaches the module before anything runs in it. */
  get extension(): Extension {
    return {
      name: 'module-gate',
      setup: async (_pglite, emscriptenOpts: { preRun?: unknown[] }) => ({
        emscriptenOpts: {
          ...emscriptenOpts,
          preRun: [...(emscriptenOpts.preRun ?? []), (module: PostgresModule) => this.#guard(module)],
        },
      }),
    };
  }

  #guard(module: PostgresModule): void {
    this.#listen(module);
    for (const name of ENTRIES) module[name] = this.#entry(name, module[name]);
    module.FS.quit = this.#entry('FS.quit', module.FS.quit);
  }

  /** Has a function of the module run only while the gate is open, and shut the gate when it throws. */
  #entry(name: string, run: unknown): AnyFunction {
    if (typeof run !== 'function')
      throw new Error(`this version of PGlite cannot be guarded: its module has no ${name}`);
    const call = run as AnyFunction;
    return (...args) => {
      if (this.#stopped) throw this.#stopped;
      if (name === EXECUTE) this.#options.beforeMessage?.();
      try {
        return call(...args);
      } catch (error) {
        const status = (error as { status?: unknown } | null)?.status;
        if (status === CLEAN_EXIT || (name === EXECUTE && status === LONGJMP && !this.#stopped)) throw error;
        throw this.#stop(`its WebAssembly module ended in ${name}: ${textOf(error)}`, error);
      }
    };
  }

  /** Reads along what PostgreSQL sends. */
  #listen(module: PostgresModule): void {
    const writers = new Map<number, { observed: boolean }>();
    const { addFunction } = module;
    const setCallbacks = module._pgl_set_rw_cbs;
    if (typeof addFunction !== 'function' || typeof setCallbacks !== 'function')
      throw new Error('this version of PGlite cannot be guarded: its module has no _pgl_set_rw_cbs');
    module.addFunction = (run, signature) => {
      if (signature !== SOCKET_SIGNATURE) return addFunction(run, signature);
      const writer = { observed: false };
      const pointer = addFunction((address, length) => {
        if (writer.observed) this.#observe(module.HEAPU8, Number(address), Number(length));
        return run(address, length);
      }, signature);
      writers.set(pointer, writer);
      return pointer;
    };
    module._pgl_set_rw_cbs = (read, write) => {
      const writer = writers.get(write);
      if (!writer) throw new Error('this version of PGlite cannot be guarded: its module writes elsewhere');
      writer.observed = true;
      setCallbacks(read, write);
    };
  }

  #observe(memory: Uint8Array, address: number, length: number): void {
    for (const { severity, message } of this.#responses.read(memory.subarray(address, address + length)))
      // Thrown through the module: what PostgreSQL would do next is to write and to exit.
      if (FATAL_SEVERITIES.has(severity)) throw this.#stop(`${severity}: ${message}`);
  }

  #stop(why: string, thrown?: unknown): DatabaseError {
    if (this.#stopped) return this.#stopped;
    const failure = this.#options.hostFailure?.();
    const code = (failure as NodeJS.ErrnoException | undefined)?.code;
    this.#stopped = new DatabaseError(
      'fatal',
      `${this.#options.name} has stopped (${why}${code === undefined ? '' : `; ${code}`}); open it again once the cause is gone`,
      { cause: failure ?? thrown },
    );
    this.#onStop?.(this.#stopped);
    return this.#stopped;
  }
}

const textOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
