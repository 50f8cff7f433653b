import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Session } from '@streamspace/client';
import type { ViewerStatus } from '@streamspace/viewer';
import { client } from '../api.js';
import { told } from '../errors.js';
import { useAction } from '../hooks/use-action.js';
import { Notice } from './notice.js';
import { Spinner } from './spinner.js';

interface ViewerPanelProps {
  readonly session: Session | undefined;
  /** Why the session cannot be read. */
  readonly error: unknown;
  /** Of the viewer; counts while the session runs. */
  readonly status: ViewerStatus;
  readonly onRetry: () => void;
  /** The session was asked to change. */
  readonly onChange: () => void;
}

/** What there is to say in place of the picture, or over it. Nothing while the picture is live. */
export function ViewerPanel({ session, error, status, onRetry, onChange }: ViewerPanelProps) {
  if (error !== undefined) {
    const { detail, remedy } = told(error);
    return <Panel title={detail} text={remedy} action={<ToList />} />;
  }
  switch (session?.state) {
    case undefined:
      return <Waiting />;
    case 'pending':
      return <Waiting text="The desktop is being started." />;
    case 'running':
      return <Connection status={status} onRetry={onRetry} />;
    case 'hibernated':
      return (
        <Panel
          title="This desktop is hibernated."
          text="Its files are kept. Wake it to go on."
          action={
            <>
              <Wake id={session.id} onWoken={onChange} />
              <ToList />
            </>
          }
        />
      );
    case 'terminating':
      return <Waiting title="Stopping..." />;
    case 'terminated':
      return (
        <Panel title="This desktop has been stopped." text="Its home folder is kept." action={<ToList />} />
      );
    case 'failed':
      return (
        <Panel
          title="This desktop failed."
          text={session.error ? `${session.error.message} (${session.error.code})` : 'No reason was given.'}
          action={<ToList />}
        />
      );
  }
}

function Connection({ status, onRetry }: { status: ViewerStatus; onRetry: () => void }) {
  switch (status.state) {
    case 'connected':
      return null;
    case 'connecting':
      return <Waiting />;
    case 'reconnecting':
      return <Waiting title="Reconnecting..." text={status.reason} />;
    case 'disconnected':
      return (
        <Panel
          title="Failed to connect to VNC proxy"
          text={status.reason}
          action={
            <>
              <button type="button" className="button button-primary" onClick={onRetry}>
                Try again
              </button>
              <ToList />
            </>
          }
        />
      );
  }
}

function Waiting({ title = 'Connecting...', text }: { title?: string; text?: string }) {
  return (
    <div className="panel" role="status">
      <div className="panel-card">
        <p className="panel-title">
          <Spinner /> {title}
        </p>
        {text && <p>{text}</p>}
      </div>
    </div>
  );
}

function Panel({ title, text, action }: { title: string; text: string; action: ReactNode }) {
  return (
    <div className="panel" role="alert">
      <div className="panel-card">
        <p className="panel-title">{title}</p>
        {text && <p>{text}</p>}
        <div className="panel-actions">{action}</div>
      </div>
    </div>
  );
}

function Wake({ id, onWoken }: { id: string; onWoken: () => void }) {
  const action = useAction();
  const wake = (): void =>
    action.run(async (signal) => {
      await client.sessions.wake(id, { signal });
      onWoken();
    });
  return (
    <>
      <Notice error={action.error} />
      <button type="button" className="button button-primary" disabled={action.busy} onClick={wake}>
        {action.busy ? 'Waking…' : 'Wake'}
      </button>
    </>
  );
}

const ToList = () => (
  <Link className="button" to="/sessions">
    All desktops
  </Link>
);
