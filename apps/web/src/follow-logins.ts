import { noticeReplacement } from './auth.js';

/** Follows a login of another user in another tab: browsers tell the others of each change of the storage. */
export function followLogins(): void {
  window.addEventListener('storage', () => noticeReplacement());
}
