import { useEffect, useRef } from 'react';
import { createViewer, type Viewer, type ViewerStatus } from '@streamspace/viewer';
import { client } from '../api.js';
import { told } from '../errors.js';

interface DesktopProps {
  readonly id: string;
  readonly name: string;
  /** Told of the viewer while there is one. These three must keep their identity between renders. */
  readonly onViewer: (viewer: Viewer | undefined) => void;
  readonly onStatus: (status: ViewerStatus) => void;
  readonly onClipboard: (text: string) => void;
}

/** The picture of a running session. A fresh ticket admits each connection. */
export function Desktop({ id, name, onViewer, onStatus, onClipboard }: DesktopProps) {
  const box = useRef<HTMLDivElement>(null);
  const label = useRef(name);
  label.current = name;

  useEffect(() => {
    if (!box.current) return;
    let live = true;
    const viewer = createViewer(box.current, {
      url: (signal) => freshAddress(id, signal),
      label: label.current,
      onStatus: (status) => {
        if (live) onStatus(status);
      },
      onClipboard,
    });
    onViewer(viewer);
    return () => {
      live = false;
      onViewer(undefined);
      void viewer.close();
    };
  }, [id, onViewer, onStatus, onClipboard]);

  return <div className="desktop" ref={box} />;
}

/** @throws what the viewer can show to the person as it is */
async function freshAddress(id: string, signal: AbortSignal): Promise<string> {
  try {
    const { ticket } = await client.sessions.ticket(id, 'control', { signal });
    return client.viewerUrl(id, ticket);
  } catch (cause) {
    signal.throwIfAborted();
    const { code, detail, remedy, shouldRetry } = told(cause);
    throw Object.assign(new Error(detail, { cause }), { code, remedy, shouldRetry });
  }
}
