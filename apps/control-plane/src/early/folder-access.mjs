import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';

const STICKY = 0o1000;
const BY_GROUP = 0o020;
const BY_OTHERS = 0o002;
const FOR_OTHERS = 0o077;
const ROOT = 0;
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** Login shells of accounts that no person uses. Those of `sync`, `halt` and `shutdown` run one command and end. */
const NO_LOGIN = /(^|\/)(nologin|false|sync|halt|shutdown)$/;

/** What a data folder holds. A folder with anything else in it serves other purposes too. */
const OURS = /^(db|homes|sessions|vnc|secrets|lock(\..*)?|jwt-secret(\.new)?|agent-key(\.new)?|lost\+found)$/;

/** This process's user and groups; null where there are none, as on Windows. */
export function thisUser() {
  if (process.geteuid === undefined) return null;
  return { uid: process.geteuid(), gids: [process.getegid(), ...process.getgroups()] };
}

/**
 * Decides over the folder that the user has chosen for the data. What matters is that no other user can rename what is
 * in it: the database and the secrets are in folders of their own that no other user can enter.
 *
 * - `tighten`: this user's, and holds nothing but this data
 * - `accept`: this user's or root's, and no other user can rename in it
 * - `refuse`: another user's, or others can rename in it
 *
 * A group may write where it is one of this process's and the machine's files name no other user in it: the private group
 * of a user, or the group of a pod (`fsGroup`) on a volume that belongs to root.
 *
 * The folders above it are not looked at: who replaces the folder by another one cannot give that to this user, so that
 * it is refused, and while this process runs the lock is lost with the folder.
 *
 * @param names what is in the folder
 * @param othersIn names of other users in a group
 */
export function judgeFolder({ uid, gid, mode }, names, me, othersIn) {
  if (uid !== me.uid && uid !== ROOT) return 'refuse';
  if (uid === me.uid && (mode & FOR_OTHERS) === 0) return 'accept';
  if (uid === me.uid && names.every((name) => OURS.test(name))) return 'tighten';
  const isShared = (mode & STICKY) === 0 && othersCanWrite({ gid, mode }, me, othersIn);
  return isShared ? 'refuse' : 'accept';
}

function othersCanWrite({ gid, mode }, me, othersIn) {
  if ((mode & BY_OTHERS) !== 0) return true;
  return (mode & BY_GROUP) !== 0 && !(me.gids.includes(gid) && othersIn(gid).length === 0);
}

/**
 * Sees to it that no other user can put other data into the place of this folder's. Without effect where folders have no
 * owners and modes.
 *
 * @param refuse throws, given a problem
 */
export function protectFolder(path, refuse, me = thisUser()) {
  if (me === null) return;
  const stats = statSync(path);
  const verdict = judgeFolder(stats, readdirSync(path), me, (gid) => othersInGroup(gid, me.uid));
  if (verdict === 'tighten') tighten(path, stats, FOLDER_MODE, refuse);
  if (verdict === 'refuse')
    refuse(
      `other users can replace what is in it (${describe(stats)}); run: chown ${me.uid} '${path}' && chmod 700 '${path}', or choose another folder`,
    );
}

/**
 * Makes a folder that no other user can enter, or closes the one that is there.
 *
 * @returns whether it was open to other users
 */
export function privateFolder(path, refuse, me = thisUser()) {
  try {
    mkdirSync(path, { mode: FOLDER_MODE });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (me === null) return false;
  const stats = statSync(path);
  if (!stats.isDirectory()) refuse(`${path} is a file; allowed is a folder`);
  // A link leads to where its owner wants.
  const isOurs = stats.uid === me.uid && [me.uid, ROOT].includes(lstatSync(path).uid);
  if (!isOurs)
    refuse(
      `${path} belongs to another user (${describe(stats)}); run: chown -R ${me.uid} '${path}', or choose another folder`,
    );
  return tighten(path, stats, FOLDER_MODE, refuse);
}

/**
 * Closes a folder that is there, as {@link privateFolder} does, or accepts one of root's, such as a volume that is mounted
 * there, where no other user can write to it. The sticky bit is no help here: others could make the folder of a session.
 *
 * @returns whether it was open to other users and is closed now
 */
export function privateFolderOrVolume(path, refuse, me = thisUser()) {
  if (me === null) return false;
  const stats = statSync(path);
  const isVolume = stats.isDirectory() && stats.uid === ROOT && me.uid !== ROOT;
  if (!isVolume || ![me.uid, ROOT].includes(lstatSync(path).uid)) return privateFolder(path, refuse, me);
  if (othersCanWrite(stats, me, (gid) => othersInGroup(gid, me.uid)))
    refuse(
      `other users can write to ${path} (${describe(stats)}); run: chown ${me.uid} '${path}' && chmod 700 '${path}', or mount a folder that no other user can write to`,
    );
  return false;
}

/**
 * Checks that a file is a regular one, and that no other user has written it or can, and closes it. A link is refused: its
 * target may be a file that other users know or change.
 */
export function privateFile(path, refuse, me = thisUser()) {
  const stats = lstatSync(path);
  if (!stats.isFile())
    refuse(
      `${path} must be a regular file; got ${kindOf(stats)} (${describe(stats)}); put the file there, or delete it and a new one is made`,
    );
  if (me === null) return;
  const isOurs = [me.uid, ROOT].includes(stats.uid);
  if (!isOurs || othersCanWrite(stats, me, (gid) => othersInGroup(gid, me.uid)))
    refuse(
      `${path} must be a file that only this user or root can write to; got ${describe(stats)}; if you put it there, run: chown ${me.uid} '${path}' && chmod 600 '${path}'; otherwise delete it and a new one is made`,
    );
  if (stats.uid === me.uid) tighten(path, stats, FILE_MODE, refuse);
}

function kindOf(stats) {
  if (stats.isSymbolicLink()) return 'a link';
  return stats.isDirectory() ? 'a folder' : 'a special file';
}

function tighten(path, stats, mode, refuse) {
  if ((stats.mode & FOR_OTHERS) === 0) return false;
  let why = 'the file system keeps no modes';
  try {
    chmodSync(path, mode);
  } catch (error) {
    why = error.code;
  }
  const after = statSync(path);
  if ((after.mode & FOR_OTHERS) !== 0)
    refuse(
      `${path} is open to other users (${describe(after)}) and cannot be closed (${why}); run: chmod ${mode.toString(8)} '${path}', or choose a folder on another file system`,
    );
  return true;
}

function describe({ uid, gid, mode }) {
  return `owner ${uid}, group ${gid}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`;
}

/**
 * Names of the users in a group besides this one, root and accounts without a login shell, as far as the machine's files
 * name them.
 */
export function othersInGroup(gid, uid, files = { passwd: '/etc/passwd', group: '/etc/group' }) {
  const users = table(files.passwd).map(([name, , user, group, , , shell = '']) => ({
    name,
    user,
    group,
    shell,
  }));
  const ignored = users.filter(
    ({ user, shell }) => [String(uid), '0'].includes(user) || NO_LOGIN.test(shell),
  );
  const except = new Set(['', ...ignored.map(({ name }) => name)]);
  const primary = users.filter(({ group }) => group === String(gid)).map(({ name }) => name);
  const members = table(files.group)
    .filter(([, , group]) => group === String(gid))
    .flatMap(([, , , list = '']) => list.split(','));
  return [...primary, ...members].filter((name) => !except.has(name));
}

function table(path) {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(':'));
  } catch {
    return [];
  }
}
