import { useEffect, useState } from 'react';
import type { ViewerStatus } from '@streamspace/viewer';
import { told, type Told } from '../errors.js';

/** Longest wait for the answer, in ms. */
const ANSWER_MS = 10_000;

/** Why the server takes no WebSocket connection of this page. */
const CAUSES: ReadonlySet<string> = new Set(['upgrade_required', 'origin_not_allowed', 'host_not_allowed']);

/**
 * Why no WebSocket connection to a session could be made, once the viewer has given up. Browsers tell a page nothing of
 * a WebSocket that was refused, so this asks by a plain request to the same path. `undefined` where that tells nothing.
 */
export function useRefusedUpgrade(id: string, status: ViewerStatus): Told | undefined {
  const failed = status.state === 'disconnected' && status.code === 'connect_failed';
  const [found, setFound] = useState<Told>();
  useEffect(() => {
    setFound(undefined);
    if (!failed) return;
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(ANSWER_MS)]);
    causeOf(id, signal).then(setFound, () => undefined);
    return () => stop.abort();
  }, [id, failed]);
  return found;
}

async function causeOf(id: string, signal: AbortSignal): Promise<Told | undefined> {
  const url = new URL(`api/v1/vnc/${encodeURIComponent(id)}`, document.baseURI);
  // By POST, with which browsers send the Origin.
  const response = await fetch(url, { method: 'POST', credentials: 'omit', redirect: 'error', signal });
  const cause = told(await response.json());
  return CAUSES.has(cause.code) ? cause : undefined;
}
