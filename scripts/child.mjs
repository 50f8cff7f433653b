import { spawn } from 'node:child_process';

/** Most output of a child that is kept, in characters; the oldest goes first. */
const KEPT_CHARS = 256 * 1024;

/**
 * Runs a program to its end, in a process group of its own when `detached`. Resolves, whatever its exit code.
 *
 * When `signal` aborts, or `timeoutMs` is over, it gets SIGTERM, and SIGKILL after three more seconds.
 */
export function run(command, args, { cwd, env, echo = false, detached = false, signal, timeoutMs } = {}) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command, args, { cwd, env, detached, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let timedOut = false;
    const kill = (name) => {
      try {
        if (detached) process.kill(-child.pid, name);
        else child.kill(name);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    };
    let hard;
    const stop = () => {
      kill('SIGTERM');
      hard ??= setTimeout(() => kill('SIGKILL'), 3_000);
    };
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            stop();
          }, timeoutMs);
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    const settle = () => {
      clearTimeout(timer);
      clearTimeout(hard);
      signal?.removeEventListener('abort', stop);
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        if (echo) process.stdout.write(text);
        output = (output + text).slice(-KEPT_CHARS);
      });
    }
    child.once('error', (error) => {
      settle();
      reject(error);
    });
    child.once('close', (code, killedBy) => {
      settle();
      resolve({
        ok: code === 0,
        code,
        killedBy,
        output,
        timedOut,
        seconds: (performance.now() - started) / 1000,
      });
    });
  });
}
