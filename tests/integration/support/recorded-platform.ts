import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { checkGeneration, PlatformError } from '@streamspace/agent-core';
import type { Change, Platform, PlatformSession } from '@streamspace/agent-core';

export const CHANGES = ['start', 'stop', 'hibernate', 'wake'] as const;
export type ChangeName = (typeof CHANGES)[number];

/** Where within a change something may happen to the process. */
export type Moment = 'before the effect' | 'after the effect';

export interface RecordedPlatformOptions {
  /** Outlives the agent: a file for each session, and logs of calls and of effects. */
  readonly folder: string;
  /** Who calls, in the log of calls. */
  readonly agent: string;
  readonly at?: (moment: Moment, what: ChangeName, sessionId: string) => void;
}

const lines = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];

/** Effects on the platform of a folder, oldest first, as `start desk-1 1`: the last is the generation. */
export const effectsIn = (folder: string): string[] => lines(join(folder, 'effects.log'));

/** Calls that were to change something, oldest first, as `first start desk-1`: whoever called comes first. */
export const callsIn = (folder: string): string[] => lines(join(folder, 'calls.log'));

/** A platform whose sessions are files. It does just what was asked, once, and writes down what it did and for whom. */
export function recordedPlatform({ folder, agent, at }: RecordedPlatformOptions): Platform {
  const sessions = join(folder, 'sessions');
  mkdirSync(sessions, { recursive: true });
  const fileOf = (sessionId: string): string => join(sessions, `${sessionId}.json`);
  const read = (sessionId: string): PlatformSession | undefined =>
    existsSync(fileOf(sessionId))
      ? (JSON.parse(readFileSync(fileOf(sessionId), 'utf8')) as PlatformSession)
      : undefined;

  const called = (what: ChangeName, sessionId: string, by: Change): PlatformSession | undefined => {
    appendFileSync(join(folder, 'calls.log'), `${agent} ${what} ${sessionId}\n`);
    const held = read(sessionId);
    checkGeneration(held, by);
    return held;
  };
  const effect = (
    what: ChangeName,
    sessionId: string,
    by: Change,
    state: PlatformSession['state'] | undefined,
  ): PlatformSession => {
    at?.('before the effect', what, sessionId);
    const session: PlatformSession = { sessionId, ...by, state: state ?? 'stopped' };
    appendFileSync(join(folder, 'effects.log'), `${what} ${sessionId} ${by.generation}\n`);
    if (state === undefined) rmSync(fileOf(sessionId));
    else {
      writeFileSync(`${fileOf(sessionId)}.new`, JSON.stringify(session));
      renameSync(`${fileOf(sessionId)}.new`, fileOf(sessionId));
    }
    at?.('after the effect', what, sessionId);
    return session;
  };
  const existing = (held: PlatformSession | undefined, sessionId: string): PlatformSession => {
    if (!held) throw new PlatformError('session_not_found', `there is no session ${sessionId}`);
    return held;
  };

  return {
    name: 'recorded',
    capabilities: { hibernate: true, survivesAgentRestart: true },
    async start({ sessionId }, by, signal) {
      signal.throwIfAborted();
      const held = called('start', sessionId, by);
      if (held?.state === 'running' && held.generation === by.generation) return held;
      return effect('start', sessionId, by, 'running');
    },
    async stop(sessionId, by, signal) {
      signal.throwIfAborted();
      if (called('stop', sessionId, by)) effect('stop', sessionId, by, undefined);
    },
    async hibernate(sessionId, by, signal) {
      signal.throwIfAborted();
      const held = existing(called('hibernate', sessionId, by), sessionId);
      return held.state === 'hibernated' ? held : effect('hibernate', sessionId, by, 'hibernated');
    },
    async wake(sessionId, by, signal) {
      signal.throwIfAborted();
      const held = existing(called('wake', sessionId, by), sessionId);
      return held.state === 'running' ? held : effect('wake', sessionId, by, 'running');
    },
    async list(signal) {
      signal.throwIfAborted();
      return readdirSync(sessions).flatMap((file) =>
        file.endsWith('.json') ? [read(file.slice(0, -'.json'.length))!] : [],
      );
    },
    async inspect(sessionId, signal) {
      signal.throwIfAborted();
      return read(sessionId);
    },
    async openStream() {
      throw new PlatformError('connect_failed', 'sessions of files have no desktop');
    },
  };
}
