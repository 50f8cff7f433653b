import { useEffect, useState } from 'react';
import { client } from '../api.js';

/** Whether the first admin is still to be made; `unknown` where the server could not be asked. */
export type SetupStatus = 'asking' | 'required' | 'done' | 'unknown';

/** Asks once, when the page is opened. */
export function useSetupStatus(): SetupStatus {
  const [status, setStatus] = useState<SetupStatus>('asking');
  useEffect(() => {
    const stop = new AbortController();
    client.setup.status({ signal: stop.signal }).then(
      ({ required }) => setStatus(required ? 'required' : 'done'),
      () => {
        if (!stop.signal.aborted) setStatus('unknown');
      },
    );
    return () => stop.abort();
  }, []);
  return status;
}
