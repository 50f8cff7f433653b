import { useState } from 'react';
import { Link } from 'react-router';
import type { Session, Template, User } from '@streamspace/client';
import { client } from '../api.js';
import { viewerPath } from '../base-path.js';
import { useAction } from '../hooks/use-action.js';
import { displayName } from '../hooks/use-templates.js';
import { Badge } from './badge.js';
import { Notice } from './notice.js';
import { Since } from './since.js';
import { StopDialog } from './stop-dialog.js';

interface SessionListProps {
  readonly label: string;
  readonly sessions: readonly Session[];
  readonly templates: readonly Template[] | undefined;
  readonly user: User | undefined;
  readonly onChange: () => void;
}

export const isOver = (session: Session): boolean =>
  session.state === 'terminated' || session.state === 'failed';

/** Sessions as rows: what, whose, since when, its state, and what can be done with it. */
export function SessionList({ label, sessions, templates, user, onChange }: SessionListProps) {
  const [stopping, setStopping] = useState<Session>();
  return (
    <>
      <ul className="rows" aria-label={label}>
        {sessions.map((session) => (
          <SessionRow
            key={session.id}
            session={session}
            name={displayName(templates, session.template)}
            owner={session.user === user?.username ? undefined : session.user}
            onStop={() => setStopping(session)}
            onChange={onChange}
          />
        ))}
      </ul>
      {stopping && (
        <StopDialog
          id={stopping.id}
          name={displayName(templates, stopping.template)}
          onClose={() => setStopping(undefined)}
          onStopped={() => {
            setStopping(undefined);
            onChange();
          }}
        />
      )}
    </>
  );
}

function SessionRow({
  session,
  name,
  owner,
  onStop,
  onChange,
}: {
  session: Session;
  name: string;
  owner: string | undefined;
  onStop: () => void;
  onChange: () => void;
}) {
  const action = useAction();
  const change = (to: 'hibernate' | 'wake'): void =>
    action.run(async (signal) => {
      await client.sessions[to](session.id, { signal });
      onChange();
    });
  const canOpen = session.state === 'running' || session.state === 'pending';
  const canStop = !isOver(session) && session.state !== 'terminating';
  return (
    <li className="row" data-session={session.id} data-over={isOver(session)}>
      <div className="row-main">
        <p className="row-title">
          {canOpen ? <Link to={viewerPath(session)}>{name}</Link> : name}
          {owner && <span className="row-owner"> of {owner}</span>}
        </p>
        <p className="row-facts">
          <code>{session.id}</code>
          <span>
            started <Since time={session.created_at} />
          </span>
        </p>
        {session.error && <p className="row-error">{session.error.message}</p>}
        <Notice error={action.error} />
      </div>
      <Badge state={session.state} />
      <div className="row-actions">
        {session.state === 'running' && (
          <button
            type="button"
            className="button"
            aria-label={`Hibernate ${name} ${session.id}`}
            title="Ends its programs and keeps its files"
            disabled={action.busy}
            onClick={() => change('hibernate')}
          >
            Hibernate
          </button>
        )}
        {canStop && (
          <button type="button" className="button" aria-label={`Stop ${name} ${session.id}`} onClick={onStop}>
            Stop
          </button>
        )}
        {session.state === 'hibernated' && (
          <button
            type="button"
            className="button button-primary"
            aria-label={`Wake ${name} ${session.id}`}
            disabled={action.busy}
            onClick={() => change('wake')}
          >
            Wake
          </button>
        )}
        {canOpen && (
          <Link
            className="button button-primary"
            aria-label={`Open ${name} ${session.id}`}
            to={viewerPath(session)}
          >
            Open
          </Link>
        )}
      </div>
    </li>
  );
}
