import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { change, displayOf, hasXDesktops, never, Place, spec } from './support/x-desktops.js';

/** Nobody: owns no file and is in no group of ours. */
const STRANGER = 65_534;
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn("Left out for want of root: what another user reaches of a session's sockets");

/**
 * Becomes a user and says what happens: to a Unix socket `connected`, or the error; to an X display, named by its
 * socket, what the server answers to a client with no cookie and with a wrong one; to a file, whether it can be read.
 */
const ATTEMPTS = `
const [uid, ...attempts] = process.argv.slice(1);
process.setgroups([]); process.setgid(Number(uid)); process.setuid(Number(uid));
const { connect } = require('node:net');
const { readFileSync } = require('node:fs');
const padded = (text) => Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc((4 - (text.length % 4)) % 4)]);
const hello = (cookie) => {
  const name = cookie ? 'MIT-MAGIC-COOKIE-1' : '';
  const head = Buffer.from([0x6c, 0, 11, 0, 0, 0, name.length, 0, cookie.length, 0, 0, 0]);
  return Buffer.concat([head, padded(name), padded(cookie)]);
};
const reach = (path, say) => new Promise((resolve) => {
  const socket = connect(path.replace('@', '\\0'));
  socket.on('error', (error) => resolve(error.code));
  socket.on('connect', () => say ? socket.write(say) : (socket.destroy(), resolve('connected')));
  socket.once('data', (bytes) => {
    socket.destroy();
    resolve(bytes[0] === 1 ? 'accepted' : 'refused: ' + bytes.subarray(8, 8 + bytes[1]).toString().trim());
  });
});
(async () => {
  const answers = [];
  for (const attempt of attempts) {
    const [kind, path, cookie] = attempt.split('|');
    if (kind === 'connect') answers.push(await reach(path));
    else if (kind === 'display') answers.push(await reach(path, hello(Buffer.from(cookie, 'hex').toString('latin1'))));
    else try { readFileSync(path); answers.push('read'); } catch (error) { answers.push(error.code); }
  }
  console.log(JSON.stringify(answers));
})();
`;

async function attemptsOf(uid: number, ...attempts: string[]): Promise<string[]> {
  const child = spawn(process.execPath, ['-e', ATTEMPTS, String(uid), ...attempts], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
  await once(child, 'close');
  return JSON.parse(text) as string[];
}

describe.skipIf(!hasXDesktops())("A session's sockets", () => {
  it('are files for one user, and nothing else listens', async () => {
    await using place = await Place.make();
    const session = await place.agent().start(spec('one'), change(), never);
    const [name] = await readdir(join(place.dataFolder, 'vnc'));
    const modeOf = async (...path: string[]): Promise<number> =>
      (await stat(join(place.dataFolder, ...path))).mode & 0o777;
    expect(await modeOf('vnc')).toBe(0o700);
    expect(await modeOf('vnc', name!)).toBe(0o600);
    expect(await modeOf('sessions')).toBe(0o700);
    expect(await modeOf('sessions', 'one')).toBe(0o700);
    expect(await modeOf('sessions', 'one', 'Xauthority')).toBe(0o600);
    expect(await modeOf('sessions', 'one.json')).toBe(0o600);
    expect(await modeOf('homes', 'one')).toBe(0o700);

    const pid = String(session.details?.['pid']);
    const held = new Set<string>();
    for (const fd of await readdir(`/proc/${pid}/fd`))
      held.add(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''));
    const listening = (await readFile('/proc/net/unix', 'latin1'))
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , flags, , , inode]) => flags === '00010000' && held.has(`socket:[${inode}]`))
      .map((fields) => fields[7]);
    const display = displayOf(session);
    expect(listening.sort()).toEqual(
      [`/tmp/.X11-unix/X${display}`, join(place.dataFolder, 'vnc', name!)].sort(),
    );
    for (const table of ['tcp', 'tcp6', 'udp', 'udp6']) {
      const inodes = (await readFile(`/proc/net/${table}`, 'latin1'))
        .split('\n')
        .map((line) => line.trim().split(/\s+/)[9]);
      expect(inodes.filter((inode) => held.has(`socket:[${inode}]`))).toEqual([]);
    }
  });

  it.skipIf(!isRoot)('refuse another user, by each of their guards alone', async () => {
    await using place = await Place.make();
    const session = await place.agent().start(spec('one'), change(), never);
    const display = displayOf(session);
    const [name] = await readdir(join(place.dataFolder, 'vnc'));
    const vnc = join(place.dataFolder, 'vnc', name!);
    const authority = join(place.dataFolder, 'sessions', 'one', 'Xauthority');
    const cookie = (await readFile(authority)).subarray(-16).toString('hex');
    const attempts = [
      `connect|${vnc}`,
      `read|${authority}`,
      `display|/tmp/.X11-unix/X${display}|`,
      `display|/tmp/.X11-unix/X${display}|${'00'.repeat(16)}`,
      `display|@/tmp/.X11-unix/X${display}|`,
    ];
    // The folders above are open: what is tried is what the platform has made.
    await chmod(dirname(place.dataFolder), 0o755);
    await chmod(place.dataFolder, 0o755);
    const none = 'refused: Authorization required, but no authorization protocol specified';
    const wrong = expect.stringMatching(
      /^refused: Invalid MIT-MAGIC-COOKIE-1 key|^refused: Authorization required/,
    );
    const refused = ['EACCES', 'EACCES', none, wrong, 'ECONNREFUSED'];
    expect(await attemptsOf(STRANGER, ...attempts)).toEqual(refused);
    // Even where somebody has opened the folders, the files have modes of their own.
    for (const folder of ['vnc', 'sessions', 'sessions/one'])
      await chmod(join(place.dataFolder, folder), 0o755);
    expect(await attemptsOf(STRANGER, ...attempts)).toEqual(refused);
    // The attempts themselves work: with the cookie, and for the agent's user.
    const open = [`connect|${vnc}`, `display|/tmp/.X11-unix/X${display}|${cookie}`];
    expect(await attemptsOf(0, ...open)).toEqual(['connected', 'accepted']);
    expect(await attemptsOf(0, `display|/tmp/.X11-unix/X${display}|`)).toEqual([none]);
  });
});
