import type { Session } from '@streamspace/client';

/** The path under which this page is served, as the server wrote it into the page: `''` at the root, else `/vdi`. */
export const basePath = new URL(document.baseURI).pathname.replace(/\/[^/]*$/, '');

/** Whether a path of this origin is one of this page. */
export const isUnderBase = (path: string): boolean =>
  basePath === '' || path === basePath || path.startsWith(`${basePath}/`);

/** The page of a session, as the router of this page knows it. */
export const viewerPath = ({ id }: Pick<Session, 'id'>): string => `/vnc-viewer/${encodeURIComponent(id)}`;
