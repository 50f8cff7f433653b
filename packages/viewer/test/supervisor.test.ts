import { afterEach, describe, expect, it } from 'vitest';
import { endingOfClose } from '../src/close-codes.js';
import type { Ending, ViewerStatus } from '../src/status.js';
import { Supervisor, type Connection, type Dial } from '../src/supervisor.js';

const LIMITS = {
  connectTimeoutMs: 1_000,
  connectAttempts: 3,
  reconnectAttempts: 4,
  minDelayMs: 1,
  maxDelayMs: 4,
};

const lost = endingOfClose({ code: 1006, reason: '' });
const gone = endingOfClose({ code: 4404, reason: '' });

/** A connection that ends when the test says so. */
class FakeConnection implements Connection {
  closed = 0;
  end!: (ending: Ending) => void;
  readonly ended = new Promise<Ending>((resolve) => (this.end = resolve));

  close(): Promise<void> {
    this.closed += 1;
    this.end(lost);
    return Promise.resolve();
  }
}

let supervisor: Supervisor;
let history: ViewerStatus[];
let connections: FakeConnection[];

afterEach(async () => {
  await supervisor.close();
});

function supervise(dial: Dial): void {
  history = [];
  connections = [];
  supervisor = new Supervisor(dial, LIMITS, (status) => history.push(status));
}

/** Dials that succeed, except where `failure` returns an error for this attempt (from 1). */
const dialing =
  (failure: (attempt: number) => unknown = () => undefined): Dial =>
  () => {
    const connection = new FakeConnection();
    connections.push(connection);
    const error = failure(connections.length);
    return error === undefined ? Promise.resolve(connection) : Promise.reject(error);
  };

const states = (): string[] => history.map((status) => status.state);
const reaches = (state: ViewerStatus['state'], times = 1) =>
  expect.poll(() => states().filter((one) => one === state).length).toBe(times);

describe('supervisor', () => {
  it('connects, and after a loss connects again by a fresh dial', async () => {
    supervise(dialing());
    await reaches('connected');
    connections[0]?.end(lost);
    await reaches('connected', 2);
    expect(states()).toEqual(['connecting', 'connected', 'reconnecting', 'connected']);
    expect(history[2]).toMatchObject({ attempt: 1, reason: 'The connection was lost.' });
    expect(connections).toHaveLength(2);
  });

  it('does not try again after a final ending, until it is told to', async () => {
    supervise(dialing());
    await reaches('connected');
    connections[0]?.end(gone);
    await reaches('disconnected');
    expect(supervisor.status).toMatchObject({ state: 'disconnected', code: 'not_found' });
    expect(connections).toHaveLength(1);

    supervisor.reconnect();
    await reaches('connected', 2);
    expect(states()).toEqual(['connecting', 'connected', 'disconnected', 'connecting', 'connected']);
  });

  it('says connecting through all attempts at the first picture, and why they fail, and gives up after the last', async () => {
    supervise(dialing(() => new Error('No route.')));
    await reaches('disconnected');
    expect(history).toEqual([
      { state: 'connecting' },
      { state: 'connecting', reason: 'No route.' },
      { state: 'connecting', reason: 'No route.' },
      { state: 'disconnected', code: 'connect_failed', reason: 'No route.', shouldRetry: true },
    ]);
    expect(connections).toHaveLength(LIMITS.connectAttempts);
  });

  it('gives up at once where the address cannot be had at all', async () => {
    supervise(
      dialing(() =>
        Object.assign(new Error('No such session.'), { code: 'session_not_found', shouldRetry: false }),
      ),
    );
    await reaches('disconnected');
    expect(connections).toHaveLength(1);
    expect(supervisor.status).toMatchObject({ code: 'session_not_found', reason: 'No such session.' });
  });

  it('says what to do, where the error of the address says it', async () => {
    supervise(
      dialing(() =>
        Object.assign(new Error('No such session.'), { remedy: 'Choose another.', shouldRetry: false }),
      ),
    );
    await reaches('disconnected');
    expect(supervisor.status).toMatchObject({ reason: 'No such session. Choose another.' });
  });

  it('counts attempts on while no connection lasts', async () => {
    supervise(dialing((attempt) => (attempt > 2 ? lost : undefined)));
    await reaches('connected');
    connections[0]?.end(lost);
    await reaches('connected', 2);
    connections[1]?.end(lost);
    await reaches('disconnected');
    expect(history.flatMap((status) => (status.state === 'reconnecting' ? [status.attempt] : []))).toEqual([
      1, 2, 3, 4,
    ]);
    expect(connections).toHaveLength(1 + LIMITS.reconnectAttempts);
  });

  it('starts again by itself where it gave up on a lost connection, once something got better', async () => {
    supervise(dialing((attempt) => (attempt > 1 && attempt < 6 ? lost : undefined)));
    await reaches('connected');
    connections[0]?.end(lost);
    await reaches('disconnected');
    expect(supervisor.status).toMatchObject({ code: 'connection_lost', shouldRetry: true });
    expect(connections).toHaveLength(1 + LIMITS.reconnectAttempts);

    supervisor.revive();
    await reaches('connected', 2);
  });

  it('stays where a final ending left it, whatever gets better', async () => {
    supervise(dialing());
    await reaches('connected');
    connections[0]?.end(gone);
    await reaches('disconnected');
    supervisor.revive();
    // One turn of the event loop is more than a woken loop needs for its next status.
    await new Promise((resolve) => setTimeout(resolve));
    expect(states()).toEqual(['connecting', 'connected', 'disconnected']);
    expect(connections).toHaveLength(1);
  });

  it('closes the connection, reports it once, and stays closed', async () => {
    supervise(dialing());
    await reaches('connected');
    await Promise.all([supervisor.close(), supervisor.close()]);
    supervisor.reconnect();
    expect(connections[0]?.closed).toBeGreaterThan(0);
    expect(states()).toEqual(['connecting', 'connected', 'disconnected']);
    expect(supervisor.status).toMatchObject({ code: 'closed' });
  });

  it('ends a dial that is under way when it is closed', async () => {
    let asked: AbortSignal | undefined;
    supervise(
      (signal) =>
        new Promise((_resolve, reject) => {
          asked = signal;
          signal.addEventListener('abort', () => reject(new Error('stopped')));
        }),
    );
    await expect.poll(() => asked).toBeDefined();
    await supervisor.close();
    expect(asked?.aborted).toBe(true);
    expect(states()).toEqual(['connecting', 'disconnected']);
  });
});
