import { PGlite, type Extension, type PGliteOptions } from '@electric-sql/pglite';
import { vi } from 'vitest';

/** How often PGlite's WebAssembly module was entered to carry out a message or to close. */
export interface ModuleEntries {
  count: number;
  [Symbol.dispose](): void;
}

const ENTRIES = [
  '_PostgresMainLoopOnce',
  '_PostgresMainLongJmp',
  '_PostgresSendReadyForQueryIfNecessary',
  '_pq_buffer_remaining_data',
  '_pgl_pq_flush',
  '_pgl_run_atexit_funcs',
  '_emscripten_force_exit',
];

/** Counts the entries into the modules of all databases that are opened until it is disposed. */
export function countModuleEntries(): ModuleEntries {
  const create = PGlite.create.bind(PGlite);
  const counter: Extension = {
    name: 'entry-counter',
    setup: async (_pglite, emscriptenOpts: { preRun?: unknown[] }) => ({
      emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), countIn] },
    }),
  };
  const countIn = (module: Record<string, (...args: unknown[]) => unknown>): void => {
    for (const name of ENTRIES) {
      const enter = module[name]!;
      module[name] = (...args) => {
        entries.count += 1;
        return enter(...args);
      };
    }
  };
  // First of the extensions, so that what others keep out is not counted.
  const spy = vi
    .spyOn(PGlite, 'create')
    .mockImplementation((options?: PGliteOptions | string) =>
      typeof options === 'object'
        ? create({ ...options, extensions: { counter, ...options.extensions } })
        : create(options),
    );
  const entries: ModuleEntries = { count: 0, [Symbol.dispose]: () => spy.mockRestore() };
  return entries;
}
