import { NavLink, Outlet } from 'react-router';
import { useAuth } from '../auth.js';
import { useAction } from '../hooks/use-action.js';
import { logOut } from '../log-out.js';
import { Logo } from './icons.js';

/** The frame of the pages for those who are in: where one can go, and the way out. */
export function Shell() {
  const auth = useAuth();
  const action = useAction();
  if (auth.state !== 'in') return null;
  return (
    <div className="shell">
      <header className="bar">
        <NavLink to="/sessions" className="brand">
          <Logo /> StreamSpace
        </NavLink>
        <nav aria-label="Pages">
          <NavLink to="/sessions">Desktops</NavLink>
          {auth.user.role === 'admin' && <NavLink to="/agents">Agents</NavLink>}
        </nav>
        <div className="bar-user">
          <span className="bar-name">{auth.user.username}</span>
          <button
            type="button"
            className="button button-quiet"
            disabled={action.busy}
            onClick={() => action.run(() => logOut())}
          >
            Log out
          </button>
        </div>
      </header>
      <main className="page">
        <Outlet />
      </main>
    </div>
  );
}
