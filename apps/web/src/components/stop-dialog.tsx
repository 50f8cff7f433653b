import { client } from '../api.js';
import { useAction } from '../hooks/use-action.js';
import { Dialog } from './dialog.js';
import { Notice } from './notice.js';

/** Asks before a session is stopped, and stops it. */
export function StopDialog({
  id,
  name,
  onClose,
  onStopped,
}: {
  id: string;
  name: string;
  onClose: () => void;
  onStopped: () => void;
}) {
  const action = useAction();
  const stop = (): void =>
    action.run(async (signal) => {
      await client.sessions.stop(id, { signal });
      onStopped();
    });
  return (
    <Dialog title={`Stop ${name}?`} onClose={onClose}>
      <p>
        Programs that are open in it end. Its files stay on the server in <code>homes/{id}</code>; a new
        desktop starts empty.
      </p>
      <Notice error={action.error} />
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          Keep it running
        </button>
        <button type="button" className="button button-danger" disabled={action.busy} onClick={stop}>
          {action.busy ? 'Stopping…' : 'Stop session'}
        </button>
      </div>
    </Dialog>
  );
}
