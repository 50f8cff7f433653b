import { useEffect, useState } from 'react';
import type { ViewerStatus } from '@streamspace/viewer';
import { isEnd } from '../components/connection-panel.js';

/** How long to hold back what to do about an ending while it is not known what became of the session, in ms. */
const PATIENCE_MS = 5_000;

/**
 * Whether it is too early to say what to do about a viewer that ended: nobody has told yet what became of its session.
 * A desktop that ended by somebody's will is said to run for another moment.
 *
 * @param running whether the session is said to run
 * @param askedAt when that was asked (`performance.now()`)
 * @param endedAt when the viewer ended, likewise
 */
export function useLooking(
  status: ViewerStatus,
  running: boolean,
  askedAt: number,
  endedAt: number,
): boolean {
  const [patience, setPatience] = useState(true);
  const over = status.state === 'disconnected';

  useEffect(() => {
    setPatience(true);
    if (!over) return;
    const timer = setTimeout(() => setPatience(false), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [over, endedAt]);

  return over && patience && (askedAt < endedAt || (running && isEnd(status.code)));
}
