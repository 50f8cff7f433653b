import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { Spinner } from './spinner.js';

/** In place of a picture that is on its way. */
export function Waiting({ title = 'Connecting...', text }: { title?: string; text?: string | undefined }) {
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

interface PanelProps {
  readonly title: string;
  readonly text: string;
  readonly children?: ReactNode;
  /** What there is to do. */
  readonly action: ReactNode;
}

/** In place of a picture that does not come by itself. */
export function Panel({ title, text, children, action }: PanelProps) {
  return (
    <div className="panel" role="alert">
      <div className="panel-card">
        <p className="panel-title">{title}</p>
        {text && <p>{text}</p>}
        {children}
        <div className="panel-actions">{action}</div>
      </div>
    </div>
  );
}

export const ToList = () => (
  <Link className="button" to="/sessions">
    All desktops
  </Link>
);
