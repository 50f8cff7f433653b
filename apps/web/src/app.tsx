import { Navigate, Outlet, Route, Routes, useLocation } from 'react-router';
import { useAuth } from './auth.js';
import { Shell } from './components/shell.js';
import { AgentsPage } from './pages/agents.js';
import { HomePage } from './pages/home.js';
import { LoginPage } from './pages/login.js';
import { NotFoundPage } from './pages/not-found.js';
import { ReplacedPage } from './pages/replaced.js';
import { RestorePage } from './pages/restore.js';
import { SessionsPage } from './pages/sessions.js';
import { SetupPage } from './pages/setup.js';
import { ViewerPage } from './pages/viewer.js';

export function App() {
  const auth = useAuth();
  if (auth.state === 'unknown') return <RestorePage />;
  if (auth.state === 'replaced') return <ReplacedPage user={auth.user} by={auth.by} />;
  return (
    <Routes>
      <Route path="/" element={<HomePage />} />
      <Route path="/setup" element={<SetupPage />} />
      <Route path="/login" element={<LoginPage />} />
      <Route element={<RequireLogin />}>
        <Route element={<Shell />}>
          <Route path="/sessions" element={<SessionsPage />} />
          <Route path="/agents" element={<AgentsPage />} />
        </Route>
        <Route path="/vnc-viewer/:id" element={<ViewerPage />} />
      </Route>
      <Route path="*" element={<NotFoundPage />} />
    </Routes>
  );
}

/** Sends strangers to the login page, and back to where they wanted to go afterwards. */
function RequireLogin() {
  const auth = useAuth();
  const { pathname } = useLocation();
  if (auth.state === 'in') return <Outlet />;
  return <Navigate to={`/login?next=${encodeURIComponent(pathname)}`} replace />;
}
