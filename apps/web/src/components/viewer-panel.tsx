import type { Session } from '@streamspace/client';
import type { ViewerStatus } from '@streamspace/viewer';
import { client } from '../api.js';
import { told } from '../errors.js';
import { useAction } from '../hooks/use-action.js';
import { ConnectionPanel } from './connection-panel.js';
import { Notice } from './notice.js';
import { Panel, ToList, Waiting } from './panel.js';
import { Technical } from './technical.js';

interface ViewerPanelProps {
  readonly session: Session | undefined;
  /** Why the session cannot be read. */
  readonly error: unknown;
  /** Of the viewer; counts while the session runs. */
  readonly status: ViewerStatus;
  /** After the viewer ended: what became of the session is being asked. */
  readonly looking: boolean;
  readonly onRetry: () => void;
  /** The session was asked to change. */
  readonly onChange: () => void;
}

/** What there is to say in place of the picture, or over it. Nothing while the picture is live. */
export function ViewerPanel({ session, error, status, looking, onRetry, onChange }: ViewerPanelProps) {
  if (error !== undefined) {
    const { detail, remedy, technical } = told(error);
    return (
      <Panel title={detail} text={remedy} action={<ToList />}>
        <Technical text={technical} />
      </Panel>
    );
  }
  switch (session?.state) {
    case undefined:
      return <Waiting />;
    case 'pending':
      return <Waiting text="The desktop is being started." />;
    case 'running':
      return <ConnectionPanel id={session.id} status={status} looking={looking} onRetry={onRetry} />;
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
