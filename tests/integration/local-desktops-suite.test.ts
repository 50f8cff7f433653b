import { platformSuite } from '@streamspace/agent-core/testing';
import { xDesktopTemplate } from '@streamspace/platform-local';
import { describe, it } from 'vitest';
import { hasXDesktops, manifestOf, never, Place } from './support/x-desktops.js';

const template = xDesktopTemplate.metadata.name;
/** Nothing to be seen: the suite does not look. */
const manifest = manifestOf([['sleep', 'infinity']]);
/** Its server is started and cannot live. */
const failing = manifestOf([['openbox']], { defaultResources: { memory: '1Mi' } });

if (hasXDesktops()) {
  platformSuite({ describe, it }, async () => {
    const place = await Place.make();
    const limits = { graceMs: 300, cgroup: false } as const;
    let current = place.agent(limits);
    return {
      platform: current,
      template: { template, manifest },
      failingTemplate: { template, manifest: failing },
      restart: () => Promise.resolve((current = place.agent(limits))),
      leftovers: () => place.leftovers(),
      crash: async (sessionId) => {
        const session = await current.inspect(sessionId, never);
        process.kill(Number(session?.details?.['pid']), 'SIGKILL');
      },
      close: () => place[Symbol.asyncDispose](),
    };
  });
} else {
  describe.skip('a platform', () => undefined);
}
