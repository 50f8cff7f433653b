import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** `nobody`: a user without a home, a shell or rights. Used when the tests run as root. */
const NOBODY = 65_534;

/** A newcomer's machine: a fresh clone, a home of his own, and npm's cache as it is here. */
export interface Machine extends Disposable {
  readonly clone: string;
  /** Whom to run as; absent: as who runs the tests. */
  readonly user: { uid: number; gid: number } | undefined;
  /** What a login gives, and nothing of what the tests were started with. */
  readonly environment: Readonly<Record<string, string>>;
}

export function prepareMachine(): Machine {
  const folder = mkdtempSync(join(tmpdir(), 'streamspace-newcomer-'));
  chmodSync(folder, 0o755);
  const clone = join(folder, 'streamspace');
  const home = join(folder, 'home');
  mkdirSync(home);
  execFileSync('git', ['clone', '--quiet', root, clone]);
  overlayUncommitted(clone);
  const npm = (name: string) =>
    execFileSync('npm', ['config', 'get', name], {
      encoding: 'utf8',
      cwd: root,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  const cache = join(npm('cache'), '_cacache');
  if (existsSync(cache)) cpSync(cache, join(home, '.npm', '_cacache'), { recursive: true });
  const asRoot = process.getuid?.() === 0;
  if (asRoot) execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, folder]);
  return {
    clone,
    user: asRoot ? { uid: NOBODY, gid: NOBODY } : undefined,
    environment: { ...inherited(), HOME: home, npm_config_registry: npm('registry') },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A folder that the newcomer can see and not write to. */
export function unwritableFolder(machine: Machine): string {
  const path = join(machine.clone, '..', 'not-writable');
  mkdirSync(path, { recursive: true });
  if (machine.user) chownSync(path, 0, 0);
  chmodSync(path, 0o555);
  return path;
}

/** While one works on the project, what is to be tested is not committed yet. */
function overlayUncommitted(clone: string): void {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
      .split('\0')
      .filter((path) => path !== '');
  for (const path of git('ls-files', '-z', '--modified', '--deleted', '--others', '--exclude-standard')) {
    const source = join(root, path);
    const target = join(clone, path);
    rmSync(target, { force: true });
    if (!existsSync(source)) continue;
    mkdirSync(dirname(target), { recursive: true });
    cpSync(source, target);
  }
  for (const path of git('diff', '-z', '--name-only', '--cached')) {
    if (existsSync(join(root, path))) cpSync(join(root, path), join(clone, path), { recursive: true });
  }
}

function inherited(): Record<string, string> {
  const wanted = /^(PATH|LANG|TZ|TMPDIR|https?_proxy|no_proxy|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS)$/i;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      wanted.test(name) && value ? [[name, value]] : [],
    ),
  );
}
