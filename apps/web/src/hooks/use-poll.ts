import { useCallback, useEffect, useRef, useState } from 'react';

export interface Poll<T> {
  /** The last answer; stays while later ones fail. */
  readonly data: T | undefined;
  /** Why the last attempt failed. */
  readonly error: unknown;
  /** When the question was asked that was answered last, or failed (`performance.now()`); 0 before the first. */
  readonly askedAt: number;
  /** Asks at once. */
  readonly reload: () => void;
}

/**
 * Asks again and again while the page is looked at: never two requests at a time, none while the tab is hidden, one at
 * once when it is shown again.
 *
 * @param load must keep its identity between renders (`useCallback`)
 * @param pauseMs how long to wait after an answer (`undefined` after none came); likewise
 */
export function usePoll<T>(
  load: (signal: AbortSignal) => Promise<T>,
  pauseMs: (data: T | undefined) => number,
): Poll<T> {
  const [state, setState] = useState<Omit<Poll<T>, 'reload'>>({
    data: undefined,
    error: undefined,
    askedAt: 0,
  });
  const askNow = useRef<() => void>(() => undefined);

  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asking = false;
    let again = false;

    const ask = async (): Promise<void> => {
      clearTimeout(timer);
      if (asking) {
        again = true;
        return;
      }
      asking = true;
      const askedAt = performance.now();
      let data: T | undefined;
      try {
        data = await load(stop.signal);
        if (!stop.signal.aborted) setState({ data, error: undefined, askedAt });
      } catch (error) {
        if (!stop.signal.aborted) setState((before) => ({ ...before, error, askedAt }));
      }
      asking = false;
      if (stop.signal.aborted || document.hidden) return;
      const wait = again ? 0 : pauseMs(data);
      again = false;
      timer = setTimeout(() => void ask(), wait);
    };
    const onVisibility = (): void => {
      if (document.hidden) clearTimeout(timer);
      else void ask();
    };

    askNow.current = () => void ask();
    document.addEventListener('visibilitychange', onVisibility);
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisibility);
      askNow.current = () => undefined;
    };
  }, [load, pauseMs]);

  const reload = useCallback(() => askNow.current(), []);
  return { ...state, reload };
}
