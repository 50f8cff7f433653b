import { useState } from 'react';
import { useLocation } from 'react-router';
import type { Session } from '@streamspace/client';
import { useAuth } from '../auth.js';
import { Dialog } from '../components/dialog.js';
import { DesktopIcon, PlusIcon } from '../components/icons.js';
import { Notice } from '../components/notice.js';
import { isOver, SessionList } from '../components/session-list.js';
import { Spinner } from '../components/spinner.js';
import { TemplateList } from '../components/template-list.js';
import { usePoll } from '../hooks/use-poll.js';
import { useTemplates } from '../hooks/use-templates.js';
import { loadSessions } from '../load-sessions.js';

const isChanging = (session: Session): boolean =>
  session.state === 'pending' || session.state === 'terminating';
const pauseMs = (sessions: Session[] | undefined): number => (sessions?.some(isChanging) ? 2_000 : 5_000);
const newestFirst = (a: Session, b: Session): number => b.created_at.localeCompare(a.created_at);

/** The desktops of whoever is logged in; of everybody, for an admin. */
export function SessionsPage() {
  const auth = useAuth();
  const templates = useTemplates();
  const sessions = usePoll(loadSessions, pauseMs);
  const [choosing, setChoosing] = useState(false);
  const location = useLocation();
  const broughtAlong: unknown = (location.state as { error?: unknown } | null)?.error;

  const all = sessions.data?.toSorted(newestFirst);
  const live = all?.filter((session) => !isOver(session)) ?? [];
  const over = all?.filter(isOver) ?? [];
  const shared = {
    templates: templates.data,
    user: auth.state === 'in' ? auth.user : undefined,
    onChange: sessions.reload,
  };
  return (
    <>
      <title>Desktops · StreamSpace</title>
      <div className="page-head">
        <h1>Desktops</h1>
        {live.length > 0 && (
          <button type="button" className="button button-primary" onClick={() => setChoosing(true)}>
            <PlusIcon /> New desktop
          </button>
        )}
      </div>
      <Notice error={sessions.error ?? broughtAlong} />
      {!all && !sessions.error && (
        <p className="quiet" role="status">
          <Spinner /> Loading…
        </p>
      )}
      {live.length > 0 && <SessionList label="Desktops" sessions={live} {...shared} />}
      {all && live.length === 0 && (
        <section className="empty" aria-labelledby="start">
          <span className="empty-icon">
            <DesktopIcon />
          </span>
          <h2 id="start">Start a desktop</h2>
          <p>It runs on an agent and opens in this tab. Close the tab whenever you like: it keeps running.</p>
          <TemplateList templates={templates} />
        </section>
      )}
      {over.length > 0 && (
        <section aria-labelledby="ended">
          <h2 id="ended" className="section-title">
            Ended
          </h2>
          <SessionList label="Ended desktops" sessions={over} {...shared} />
        </section>
      )}
      {choosing && (
        <Dialog title="New desktop" onClose={() => setChoosing(false)}>
          <p>Choose what to start.</p>
          <TemplateList templates={templates} />
          <div className="dialog-actions">
            <button type="button" className="button" onClick={() => setChoosing(false)}>
              Cancel
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}
