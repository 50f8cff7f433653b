import { useCallback, useEffect, useRef, useState } from 'react';

export interface Action {
  readonly busy: boolean;
  readonly error: unknown;
  /** Runs one at a time; a second call while busy does nothing. */
  readonly run: (work: (signal: AbortSignal) => Promise<void>) => void;
}

/** Something that a person sets off with a button: says whether it runs and why it failed, and ends with the page. */
export function useAction(): Action {
  const [state, setState] = useState<{ busy: boolean; error: unknown }>({ busy: false, error: undefined });
  const running = useRef<AbortController | undefined>(undefined);

  useEffect(
    () => () => {
      running.current?.abort();
      running.current = undefined;
    },
    [],
  );

  const run = useCallback((work: (signal: AbortSignal) => Promise<void>) => {
    if (running.current) return;
    const stop = new AbortController();
    running.current = stop;
    setState({ busy: true, error: undefined });
    const end = (error: unknown): void => {
      if (running.current === stop) running.current = undefined;
      if (!stop.signal.aborted) setState({ busy: false, error });
    };
    work(stop.signal).then(() => end(undefined), end);
  }, []);

  return { ...state, run };
}
