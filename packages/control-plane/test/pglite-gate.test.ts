import { describe, expect, it } from 'vitest';
import { ErrorResponses } from '../src/pglite/error-responses.js';
import { ModuleGate } from '../src/pglite/module-gate.js';
import type { DatabaseError } from '../src/stores/database-error.js';

/** A message of PostgreSQL: type, length, body. */
function message(type: string, body: string): Uint8Array {
  const bytes = Buffer.from(body, 'utf8');
  const header = Buffer.alloc(5);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(bytes.length + 4, 1);
  return Buffer.concat([header, bytes]);
}

const errorResponse = (severity: string, text: string): Uint8Array =>
  message('E', `S${severity}\0V${severity}\0C58030\0M${text}\0\0`);

describe('ErrorResponses', () => {
  const stream = Buffer.concat([
    message('Z', 'I'),
    errorResponse('ERROR', 'no such table'),
    // A row whose value looks like an error.
    message('D', '\0\x01SPANIC\0VPANIC\0Mforged\0\0'),
    errorResponse('PANIC', 'could not write: é'),
    message('Z', 'I'),
  ]);
  const expected = [
    { severity: 'ERROR', message: 'no such table' },
    { severity: 'PANIC', message: 'could not write: é' },
  ];

  it('finds the errors between other messages, wherever the bytes are cut', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const responses = new ErrorResponses();
      const found = [...responses.read(stream.subarray(0, cut)), ...responses.read(stream.subarray(cut))];
      expect(found, `cut at ${cut}`).toEqual(expected);
    }
    const byBytes = new ErrorResponses();
    expect([...stream].flatMap((byte) => byBytes.read(Uint8Array.of(byte)))).toEqual(expected);
  });

  it('keeps severity and message of an error that is larger than what is kept', () => {
    const [found] = new ErrorResponses().read(
      message('E', `VFATAL\0Mtoo many\0D${'x'.repeat(1_000_000)}\0\0`),
    );
    expect(found).toEqual({ severity: 'FATAL', message: 'too many' });
  });
});

type Call = (...args: unknown[]) => unknown;

/** What the gate needs of PGlite's module; `execute` stands for what a message does in it. */
function fakeModule(execute: (send: (bytes: Uint8Array) => void) => void) {
  const calls: string[] = [];
  const functions: Call[] = [];
  const memory = new Uint8Array(4_096);
  let write: Call = () => undefined;
  const send = (bytes: Uint8Array): void => {
    memory.set(bytes, 16);
    write(16, bytes.length);
  };
  const entry =
    (name: string, run: Call = () => undefined): Call =>
    (...args) => {
      calls.push(name);
      return run(...args);
    };
  const module: Record<string, unknown> = {
    HEAPU8: memory,
    addFunction: (run: Call) => functions.push(run) - 1,
    _pgl_set_rw_cbs: (_read: number, pointer: number) => (write = functions[pointer]!),
    FS: { quit: entry('quit') },
    _PostgresMainLoopOnce: entry('execute', () => execute(send)),
  };
  for (const name of [
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
  ])
    module[name] = entry(name);
  return { module, calls };
}

/** Puts the gate before the module as PGlite does, and connects the module's reading and writing. */
async function guard(module: Record<string, unknown>) {
  const stops: DatabaseError[] = [];
  const gate = new ModuleGate({ name: 'PGlite' });
  gate.onStop((error) => stops.push(error));
  const setup = gate.extension.setup as unknown as (
    pglite: unknown,
    options: object,
  ) => Promise<{ emscriptenOpts: { preRun: ((module: unknown) => void)[] } }>;
  const { emscriptenOpts } = await setup(undefined, {});
  for (const run of emscriptenOpts.preRun) run(module);
  const add = module['addFunction'] as (run: Call, signature: string) => number;
  const read = add(() => 0, 'ipi');
  (module['_pgl_set_rw_cbs'] as Call)(
    read,
    add(() => 0, 'ipi'),
  );
  return { gate, stops, call: (name: string) => (module[name] as Call)() };
}

const exit = (status: number) => Object.assign(new Error(`exit(${status})`), { name: 'ExitStatus', status });

describe('ModuleGate', () => {
  it.each(['FATAL', 'PANIC'])(
    'shuts at a message of severity %s, and lets nothing in after it',
    async (severity) => {
      let after = false;
      const { module, calls } = fakeModule((send) => {
        send(errorResponse(severity, 'could not fsync file'));
        after = true;
      });
      const { gate, stops, call } = await guard(module);
      expect(() => call('_PostgresMainLoopOnce')).toThrow(
        `PGlite has stopped (${severity}: could not fsync file)`,
      );
      expect(after).toBe(false);
      expect(stops).toEqual([gate.stopped]);
      calls.length = 0;
      for (const name of Object.keys(module).filter((key) => key.startsWith('_P') || key.startsWith('stack')))
        expect(() => call(name)).toThrow(gate.stopped);
      expect(() => (module['FS'] as { quit: Call }).quit()).toThrow(gate.stopped);
      expect(calls).toEqual([]);
      expect(stops).toHaveLength(1);
    },
  );

  it('stays open at an ordinary error and its jump', async () => {
    const { module, calls } = fakeModule((send) => {
      send(errorResponse('ERROR', 'PANIC'));
      throw exit(100);
    });
    const { gate, call } = await guard(module);
    expect(() => call('_PostgresMainLoopOnce')).toThrow('exit(100)');
    call('_PostgresMainLongJmp');
    expect(gate.stopped).toBeUndefined();
    expect(calls).toEqual(['execute', '_PostgresMainLongJmp']);
  });

  it.each([
    ['an abort', Object.assign(new Error('unreachable'), { name: 'RuntimeError' })],
    ['an exit', exit(1)],
    ['an exception of the host', new TypeError('not a function')],
  ])('shuts when the module ends with %s', async (_, thrown) => {
    const { module } = fakeModule(() => {
      throw thrown;
    });
    const { gate, stops, call } = await guard(module);
    expect(() => call('_PostgresMainLoopOnce')).toThrow(thrown.message);
    expect(gate.stopped).toMatchObject({ code: 'fatal', shouldRetry: false, cause: thrown });
    expect(stops).toHaveLength(1);
  });

  it('refuses a version of PGlite whose module lacks an entry', async () => {
    const { module } = fakeModule(() => undefined);
    delete module['_pgl_pq_flush'];
    await expect(guard(module)).rejects.toThrow(
      'this version of PGlite cannot be guarded: its module has no _pgl_pq_flush',
    );
  });
});
