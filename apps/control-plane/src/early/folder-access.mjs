import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';

const STICKY = 0o1000;
const BY_GROUP = 0o020;
const BY_OTHERS = 0o002;
const FOR_OTHERS = 0o077;
const ROOT = 0;

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
 * A volume in Kubernetes belongs to root and to a group of the pod (`fsGroup`), and the group may write. It is accepted
 * where the group is this process's and the machine's files name no other user in it.
 *
 * The folders above it are not looked at: who replaces the folder by another one cannot give that to this user, so that
 * it is refused, and while this process runs the lock is lost with the folder.
 *
 * @param names what is in the folder
 * @param othersIn names of other users in a group
 */
export function judgeFolder({ uid, gid, mode }, names, me, othersIn) {
  const isShared = (mode & STICKY) === 0 && (mode & BY_OTHERS) !== 0;
  const byGroup = (mode & STICKY) === 0 && (mode & BY_GROUP) !== 0;
  if (uid === me.uid) {
    if ((mode & FOR_OTHERS) === 0) return 'accept';
    if (names.every((name) => OURS.test(name))) return 'tighten';
    return isShared || byGroup ? 'refuse' : 'accept';
  }
  if (uid !== ROOT || isShared) return 'refuse';
  return byGroup && !(me.gids.includes(gid) && othersIn(gid).length === 0) ? 'refuse' : 'accept';
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
  if (verdict === 'tighten') tighten(path, stats, me, refuse);
  if (verdict === 'refuse')
    refuse(
      `other users can replace what is in it (${describe(stats)}); run: chown ${me.uid} '${path}' && chmod 700 '${path}', or choose another folder`,
    );
}

/** Makes a folder that no other user can enter, or closes the one that is there. */
export function privateFolder(path, refuse, me = thisUser()) {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (me === null) return;
  const stats = statSync(path);
  if (!stats.isDirectory()) refuse(`${path} is a file; allowed is a folder`);
  // A link leads to where its owner wants.
  const isOurs = stats.uid === me.uid && [me.uid, ROOT].includes(lstatSync(path).uid);
  if (!isOurs)
    refuse(
      `${path} belongs to another user (${describe(stats)}); run: chown -R ${me.uid} '${path}', or choose another folder`,
    );
  tighten(path, stats, me, refuse);
}

function tighten(path, stats, me, refuse) {
  if ((stats.mode & FOR_OTHERS) === 0) return;
  let why = 'the file system keeps no modes';
  try {
    chmodSync(path, 0o700);
  } catch (error) {
    why = error.code;
  }
  const after = statSync(path);
  if ((after.mode & FOR_OTHERS) !== 0)
    refuse(
      `${path} is open to other users (${describe(after)}) and cannot be closed (${why}); run: chmod 700 '${path}', or choose a folder on another file system`,
    );
}

function describe({ uid, gid, mode }) {
  return `owner ${uid}, group ${gid}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`;
}

/** Names of the users in a group besides this one and root, as far as the machine's files name them. */
function othersInGroup(gid, uid) {
  const users = table('/etc/passwd').map(([name, , user, group]) => ({ name, user, group }));
  const mine = new Set(users.filter(({ user }) => [String(uid), '0'].includes(user)).map(({ name }) => name));
  const primary = users.filter(({ group }) => group === String(gid)).map(({ name }) => name);
  const members = table('/etc/group')
    .filter(([, , group]) => group === String(gid))
    .flatMap(([, , , list = '']) => list.split(','));
  return [...primary, ...members].filter((name) => name !== '' && name !== undefined && !mine.has(name));
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
