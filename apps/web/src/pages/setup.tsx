import { useEffect, useState, type FormEvent } from 'react';
import { Link, Navigate, useNavigate, useSearchParams } from 'react-router';
import { client } from '../api.js';
import { useAuth } from '../auth.js';
import { Entrance } from '../components/entrance.js';
import { Field } from '../components/field.js';
import { Notice } from '../components/notice.js';
import { Spinner } from '../components/spinner.js';
import { told } from '../errors.js';
import { useAction } from '../hooks/use-action.js';
import { startFirstDesktop } from '../start-desktop.js';
import { SetupNeeded } from './home.js';

/** Shortest password that this page takes. */
const PASSWORD_CHARS = 10;

/** The setup link's page: makes the first admin, starts a first desktop and goes there. */
export function SetupPage() {
  const [parameters] = useSearchParams();
  // Kept here and taken out of the address, so that it is in no history and no screenshot.
  const [token] = useState(parameters.get('token') ?? '');
  const auth = useAuth();
  const [wasIn] = useState(auth.state === 'in');
  const [required, setRequired] = useState<boolean>();

  useEffect(() => {
    window.history.replaceState(window.history.state, '', '/setup');
    const stop = new AbortController();
    client.setup.status({ signal: stop.signal }).then(
      (status) => setRequired(status.required),
      // Not knowing is no reason to hide the form: sending it says what is wrong.
      () => undefined,
    );
    return () => stop.abort();
  }, []);

  if (wasIn) return <Navigate to="/sessions" replace />;
  if (required === false && auth.state === 'out') return <SetupDone />;
  if (token === '' && auth.state === 'out') return <SetupNeeded />;
  return <SetupForm token={token} />;
}

function SetupDone() {
  return (
    <Entrance title="Already set up" lead="There is an admin. The setup link works once.">
      <Link className="button button-primary" to="/login">
        Log in
      </Link>
    </Entrance>
  );
}

function SetupForm({ token }: { token: string }) {
  const navigate = useNavigate();
  const action = useAction();
  const [step, setStep] = useState<'form' | 'starting'>('form');
  const [username, setUsername] = useState('admin');
  const [password, setPassword] = useState('');
  const [repeated, setRepeated] = useState('');
  const [checked, setChecked] = useState(false);

  const tooShort = checked && password.length < PASSWORD_CHARS;
  const differs = checked && !tooShort && password !== repeated;

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setChecked(true);
    if (password.length < PASSWORD_CHARS || password !== repeated) return;
    action.run(async (signal) => {
      await client.setup.complete({ token, username: username.trim(), password }, { signal });
      setStep('starting');
      try {
        const session = await startFirstDesktop(signal);
        await navigate(session?.url ?? '/sessions', { replace: true });
      } catch (error) {
        await navigate('/sessions', { replace: true, state: { error: told(error) } });
      }
    });
  };

  if (step === 'starting') {
    return (
      <Entrance title="Welcome" lead="Your first desktop is being started.">
        <p className="quiet" role="status">
          <Spinner /> Connecting...
        </p>
      </Entrance>
    );
  }
  return (
    <Entrance title="Set up StreamSpace" lead="Choose the name and the password of the first admin.">
      <form onSubmit={submit} noValidate>
        <Field
          label="Name"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          value={username}
          problem={checked && username.trim() === '' ? 'Type a name.' : undefined}
          onChange={(event) => setUsername(event.target.value)}
        />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="new-password"
          autoFocus
          required
          value={password}
          hint={`At least ${PASSWORD_CHARS} characters. A short sentence is easy to keep in mind.`}
          problem={tooShort ? `This is too short: at least ${PASSWORD_CHARS} characters.` : undefined}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Field
          label="Password again"
          name="repeated"
          type="password"
          autoComplete="new-password"
          required
          value={repeated}
          problem={differs ? 'The two passwords are not the same.' : undefined}
          onChange={(event) => setRepeated(event.target.value)}
        />
        <Notice error={action.error} />
        <button type="submit" className="button button-primary button-wide" disabled={action.busy}>
          {action.busy ? 'One moment…' : 'Create admin and open a desktop'}
        </button>
      </form>
    </Entrance>
  );
}
