import { createInterface } from 'node:readline';
import { localPlatform } from '@streamspace/platform-local';
import { change, never, spec } from './x-desktops.js';

/** An agent of its own process: does what each line asks for, `<data folder> <call> <session>`, and says so. */
for await (const line of createInterface({ input: process.stdin })) {
  const [dataFolder = '', call = '', sessionId = ''] = line.split(' ');
  const platform = localPlatform({ dataFolder, xDesktops: { graceMs: 1_000 } });
  await platform.list(never);
  process.stdout.write('begins\n');
  if (call === 'start') await platform.start(spec(sessionId), change(call), never);
  else if (call === 'hibernate') await platform.hibernate(sessionId, change(call), never);
  else if (call === 'wake') await platform.wake(sessionId, change(call), never);
  else await platform.stop(sessionId, change(call), never);
  process.stdout.write('done\n');
}
