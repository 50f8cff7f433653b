import { useCallback, useEffect, useRef, useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import type { Session } from '@streamspace/client';
import type { Viewer, ViewerStatus } from '@streamspace/viewer';
import { client } from '../api.js';
import { Desktop } from '../components/desktop.js';
import { StopDialog } from '../components/stop-dialog.js';
import { ViewerBar } from '../components/viewer-bar.js';
import { ViewerPanel } from '../components/viewer-panel.js';
import { useLooking } from '../hooks/use-looking.js';
import { usePoll, type Poll } from '../hooks/use-poll.js';
import { displayName, useTemplates } from '../hooks/use-templates.js';

const pauseMs = (session: Session | undefined): number =>
  session?.state === 'running' || session?.state === 'terminated' ? 5_000 : 1_000;

/** After the viewer has ended, the session is asked every second, for this long (ms). */
const WATCH_MS = 30_000;

/** One desktop in the whole window. */
export function ViewerPage() {
  const { id = '' } = useParams();
  // Another session is another page: nothing of the one before stays.
  return <SessionViewer key={id} id={id} />;
}

function SessionViewer({ id }: { id: string }) {
  const templates = useTemplates();
  const navigate = useNavigate();
  /** When the viewer became disconnected (`performance.now()`); long ago while it is not. */
  const endedAt = useRef(-Infinity);
  const poll = usePoll(
    useCallback((signal) => client.sessions.get(id, { signal }), [id]),
    useCallback((session) => (performance.now() - endedAt.current < WATCH_MS ? 1_000 : pauseMs(session)), []),
  );
  const [viewer, setViewer] = useState<Viewer>();
  const [status, setStatus] = useState<ViewerStatus>({ state: 'connecting' });
  const [clipboard, setClipboard] = useState('');
  const [stopping, setStopping] = useState(false);
  const frame = useRef<HTMLDivElement>(null);

  const session = poll.data;
  const gone = (poll.error as { status?: unknown } | undefined)?.status === 404;
  const running = session?.state === 'running' && !gone;
  const canStop = running || session?.state === 'pending' || session?.state === 'hibernated';
  const name = session ? displayName(templates.data, session.template) : id;

  const looking = useLooking(status, running, poll.askedAt, endedAt.current);

  const { reload } = poll;
  const onStatus = useCallback(
    (next: ViewerStatus) => {
      setStatus(next);
      endedAt.current = next.state === 'disconnected' ? performance.now() : -Infinity;
      // It may have ended because the session did.
      if (next.state === 'disconnected') reload();
    },
    [reload],
  );

  // Only after the dialog is gone: while it is open, nothing beside it can have the keyboard.
  useEffect(() => {
    if (!stopping) viewer?.focus();
  }, [stopping, viewer]);

  return (
    <div className="viewer" ref={frame}>
      <title>{`${name} · StreamSpace`}</title>
      <ViewerBar
        name={name}
        id={id}
        state={running ? status.state : gone ? 'not found' : stateOf(poll)}
        viewer={running && status.state === 'connected' ? viewer : undefined}
        clipboard={clipboard}
        frame={frame}
        onStop={canStop ? () => setStopping(true) : undefined}
      />
      <main className="viewer-stage">
        {running && (
          <Desktop id={id} name={name} onViewer={setViewer} onStatus={onStatus} onClipboard={setClipboard} />
        )}
        <ViewerPanel
          session={gone ? undefined : session}
          error={session && !gone ? undefined : poll.error}
          status={status}
          looking={looking}
          onRetry={() => viewer?.reconnect()}
          onChange={reload}
        />
      </main>
      {stopping && (
        <StopDialog
          id={id}
          name={name}
          onClose={() => setStopping(false)}
          onStopped={() => void navigate('/sessions')}
        />
      )}
    </div>
  );
}

/** Of a session that is not shown, for the bar. */
function stateOf({ data, error }: Poll<Session>): string {
  return data?.state ?? (error === undefined ? 'connecting' : 'not available');
}
