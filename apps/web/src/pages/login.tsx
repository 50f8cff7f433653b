import { useState, type FormEvent } from 'react';
import { Navigate, useSearchParams } from 'react-router';
import { client } from '../api.js';
import { useAuth } from '../auth.js';
import { Entrance } from '../components/entrance.js';
import { Field } from '../components/field.js';
import { Notice } from '../components/notice.js';
import { useAction } from '../hooks/use-action.js';
import { useSetupStatus } from '../hooks/use-setup-status.js';

/** Only a path of this origin: a link must not send anybody elsewhere after the login. */
function safePath(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) ? next : '/sessions';
}

export function LoginPage() {
  const auth = useAuth();
  const setup = useSetupStatus();
  const action = useAction();
  const [parameters] = useSearchParams();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');

  if (auth.state === 'in') return <Navigate to={safePath(parameters.get('next'))} replace />;

  // Nobody can log in yet: the front door says what comes first.
  if (setup === 'required') return <Navigate to="/" replace />;

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    action.run(async (signal) => {
      await client.login({ username: username.trim(), password }, { signal });
    });
  };
  return (
    <Entrance title="Log in">
      <form onSubmit={submit}>
        <Field
          label="Name"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          required
          value={username}
          onChange={(event) => setUsername(event.target.value)}
        />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Notice error={action.error} />
        <button type="submit" className="button button-primary button-wide" disabled={action.busy}>
          {action.busy ? 'One moment…' : 'Log in'}
        </button>
      </form>
    </Entrance>
  );
}
