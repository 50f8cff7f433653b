import type { ViewerStatus } from '@streamspace/viewer';
import { useRefusedUpgrade } from '../hooks/use-refused-upgrade.js';
import { Panel, ToList, Waiting } from './panel.js';

interface ConnectionPanelProps {
  /** Of the session. */
  readonly id: string;
  readonly status: ViewerStatus;
  /** What became of the session is being asked: too early to say what to do. */
  readonly looking: boolean;
  readonly onRetry: () => void;
}

/** What there is to say about the connection to a session that runs. */
export function ConnectionPanel({ id, status, looking, onRetry }: ConnectionPanelProps) {
  const refused = useRefusedUpgrade(id, status);
  switch (status.state) {
    case 'connected':
      return null;
    case 'connecting':
      return <Waiting text={status.reason} />;
    case 'reconnecting':
      return <Waiting title="Reconnecting..." text={status.reason} />;
    case 'disconnected': {
      const title = titleOf(status.code);
      if (looking && isEnd(status.code)) return <Waiting title={title} text="Asking what became of it." />;
      if (looking) return <Waiting title="Disconnected" text={status.reason} />;
      return (
        <Panel
          title={title}
          text={
            refused
              ? `${refused.detail} ${refused.remedy}`.trim()
              : [status.reason === title ? '' : status.reason, hintFor(status.code)].join(' ').trim()
          }
          action={
            <>
              <button type="button" className="button button-primary" onClick={onRetry}>
                {AT_WILL.has(status.code) ? 'Connect again' : 'Try again'}
              </button>
              <ToList />
            </>
          }
        />
      );
    }
  }
}

/** The picture was there and stopped by somebody's will, or there is nothing to show: no failure of a connection. */
const TITLES: Readonly<Record<string, string>> = {
  ended: 'The desktop has ended.',
  hibernated: 'This desktop is hibernated.',
  not_found: 'There is no desktop to show.',
  timeout: 'Disconnected while idle.',
  superseded: 'Opened somewhere else.',
  limit_reached: 'Too many viewers.',
  going_away: 'The server is restarting.',
  connection_lost: 'The connection was lost.',
  unreadable: 'The picture cannot be read.',
  protocol_error: 'The server ended the connection.',
  too_large: 'The server ended the connection.',
};

/** Endings that nothing has to be mended for. */
const AT_WILL: ReadonlySet<string> = new Set(['timeout', 'superseded']);

const titleOf = (code: string): string =>
  Object.hasOwn(TITLES, code) ? TITLES[code]! : 'Failed to connect to VNC proxy';

/** What to do, where the viewer's own sentence does not say it. */
const HINTS: Readonly<Record<string, string>> = {
  ended: 'Its session still runs: try again, or stop it and start another.',
  connection_lost: 'The desktop still runs. It appears again once the network is back.',
};

const hintFor = (code: string): string => (Object.hasOwn(HINTS, code) ? HINTS[code]! : '');

/** Endings after which the session soon says that it does not run any more. */
export const isEnd = (code: string): boolean => code === 'ended' || code === 'hibernated';
