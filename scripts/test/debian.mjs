import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from '../child.mjs';

/** How to see that a Debian package's programs are there. */
const parts = {
  chromium: () => inPath('chromium'),
  postgresql: () =>
    inPath('initdb') || versionsOfPostgres().some((folder) => existsSync(join(folder, 'bin', 'initdb'))),
  // Programs of system administrators are not in everybody's PATH.
  pgbouncer: () => inPath('pgbouncer') || existsSync('/usr/sbin/pgbouncer'),
  'nginx-light': () => inPath('nginx') || existsSync('/usr/sbin/nginx'),
  haproxy: () => inPath('haproxy') || existsSync('/usr/sbin/haproxy'),
  caddy: () => inPath('caddy'),
  openssl: () => inPath('openssl'),
  'tigervnc-standalone-server': () => inPath('Xtigervnc'),
  openbox: () => inPath('openbox'),
  xterm: () => inPath('xterm'),
  x11vnc: () => inPath('x11vnc'),
  xvfb: () => inPath('Xvfb'),
  'x11-xserver-utils': () => inPath('xrandr'),
};

/**
 * Installs as root what is missing. The policy file keeps the packages' services from being started, and is put there
 * only for as long as this takes, and only where there is none.
 */
const INSTALL = `set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends "$@"`;

/** Looks for the wanted parts, installs what is missing where it may, and resolves with what is missing still. */
export async function findParts(wanted, signal) {
  const missing = new Set([...wanted].filter((name) => !parts[name]()));
  if (missing.size === 0) return missing;
  const command = await asRoot();
  if (command !== undefined) {
    console.log(`Installing Debian packages: ${[...missing].join(', ')}…`);
    const result = await run(command[0], [...command.slice(1), 'sh', '-c', INSTALL, 'sh', ...missing], {
      signal,
    });
    if (!result.ok) console.error(result.output.trimEnd());
    for (const name of missing) if (parts[name]()) missing.delete(name);
  }
  if (missing.size > 0) {
    console.log(`MISSING: ${[...missing].join(', ')}. Tests that need them are left out. To have them, run:`);
    console.log(`  sudo apt-get install -y --no-install-recommends ${[...missing].join(' ')}`);
  }
  return missing;
}

/** How this user runs something as root without being asked for a password; undefined where that is not so. */
async function asRoot() {
  if (!inPath('apt-get')) return undefined;
  if (process.getuid?.() === 0) return ['env'];
  if (!inPath('sudo')) return undefined;
  return (await run('sudo', ['-n', 'true'])).ok ? ['sudo', '-n'] : undefined;
}

function inPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

function versionsOfPostgres() {
  const folder = '/usr/lib/postgresql';
  return existsSync(folder) ? readdirSync(folder).map((version) => join(folder, version)) : [];
}
