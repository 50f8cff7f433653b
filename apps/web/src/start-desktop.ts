import type { Session } from '@streamspace/client';
import { client } from './api.js';
import { told } from './errors.js';

/** How long to go on asking while no agent is there yet, as in the first seconds of a fresh installation. */
const PATIENCE_MS = 20_000;
const PAUSE_MS = 1_000;

/** A DNS label that says what it is; chosen here, so that a repeated request cannot start a second session. */
function newId(template: string): string {
  const random = crypto.getRandomValues(new Uint8Array(6));
  const suffix = Array.from(random, (byte) => (byte % 36).toString(36)).join('');
  const prefix = template
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 50);
  return `${prefix || 'session'}-${suffix}`;
}

/**
 * Starts a session, and asks again while trying again can help.
 *
 * @param patienceMs how long to go on asking; 0 asks once
 */
export async function startDesktop(template: string, signal: AbortSignal, patienceMs = 0): Promise<Session> {
  const id = newId(template);
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    try {
      return await client.sessions.create({ template, id }, { signal });
    } catch (error) {
      if (!told(error).shouldRetry || performance.now() >= giveUpAt) throw error;
    }
    await pause(signal);
  }
}

/** Starts a session of the first template there is: what somebody sees who has just set this up. */
export async function startFirstDesktop(signal: AbortSignal): Promise<Session | undefined> {
  const [template] = await client.templates.list({ signal });
  return template && (await startDesktop(template.name, signal, PATIENCE_MS));
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, PAUSE_MS);
    signal.addEventListener('abort', done);
  });
}
