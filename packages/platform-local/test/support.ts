import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Platform, SessionSpec } from '@streamspace/agent-core';
import {
  builtInDesktopTemplate,
  localPlatform,
  type LocalPlatformOptions,
} from '@streamspace/platform-local';
import { connectRfb, keysymOf, type RfbClient } from '@streamspace/rfb';

export const never: AbortSignal = new AbortController().signal;

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'platform-local-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A platform that is closed after the test. Errors that nobody expects fail it. */
export async function platform(options: Partial<LocalPlatformOptions> = {}): Promise<Platform> {
  const dataFolder = options.dataFolder ?? (await temporaryFolder());
  const errors: unknown[] = [];
  const onError = (error: unknown): unknown => errors.push(error);
  const made = localPlatform({ xDesktops: false, onError, ...options, dataFolder });
  undo.push(async () => {
    await made.close?.();
    if (errors.length > 0) throw new AggregateError(errors, 'the platform reported errors');
  });
  return made;
}

export function spec(sessionId: string, more: Partial<SessionSpec> = {}): SessionSpec {
  const manifest = builtInDesktopTemplate;
  return { sessionId, generation: 1, user: 'ada', template: manifest.metadata.name, manifest, ...more };
}

export const change = (generation = 1, commandId = `command-${generation}`) => ({ commandId, generation });

/** A viewer that has seen the whole desktop. */
export async function view(platform: Platform, sessionId: string): Promise<RfbClient> {
  const client = await connectRfb(await platform.openStream(sessionId, 'vnc', never));
  await client.request(false);
  await client.nextUpdate();
  return client;
}

export async function press(client: RfbClient, keysym: number): Promise<void> {
  await client.key(true, keysym);
  await client.key(false, keysym);
}

export async function type(client: RfbClient, text: string): Promise<void> {
  for (const character of text) await press(client, character === '\n' ? 0xff0d : keysymOf(character));
}

/** Asks for updates until the condition holds. */
export async function watch(client: RfbClient, condition: () => boolean): Promise<void> {
  while (!condition()) {
    await client.request(true);
    await client.nextUpdate();
  }
}

/** Resolves when a condition holds; rejects after three seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 3000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition did not come true in three seconds');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
