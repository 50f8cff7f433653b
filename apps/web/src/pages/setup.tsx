import { useEffect, useState, type FormEvent } from 'react';
import { Link, Navigate, useNavigate, useSearchParams } from 'react-router';
import { client } from '../api.js';
import { useAuth } from '../auth.js';
import { basePath, viewerPath } from '../base-path.js';
import { Entrance } from '../components/entrance.js';
import { Field } from '../components/field.js';
import { Notice } from '../components/notice.js';
import { Spinner } from '../components/spinner.js';
import { told } from '../errors.js';
import { useAction } from '../hooks/use-action.js';
import { useSetupStatus } from '../hooks/use-setup-status.js';
import { startFirstDesktop } from '../start-desktop.js';
import { SetupNeeded, WhereTheLinkIs } from './home.js';

/** Shortest password that this page takes. */
const PASSWORD_CHARS = 10;

/** The setup link's page: makes the first admin, starts a first desktop and goes there. */
export function SetupPage() {
  const [parameters] = useSearchParams();
  // Kept here and taken out of the address, so that it is in no history and no screenshot.
  const [token] = useState(parameters.get('token') ?? '');
  const auth = useAuth();
  const [wasIn] = useState(auth.state === 'in');
  const status = useSetupStatus();
  const [refusal, setRefusal] = useState<unknown>();

  useEffect(() => window.history.replaceState(window.history.state, '', `${basePath}/setup`), []);

  if (wasIn) return <Navigate to="/sessions" replace />;
  if (auth.state === 'out') {
    if (status === 'asking') return <Asking />;
    if (status === 'done' || told(refusal).code === 'setup_done') return <SetupDone />;
    if (refusal !== undefined) return <LinkRefused error={refusal} />;
    if (token === '') return <SetupNeeded />;
  }
  // Not knowing is no reason to hide the form: sending it says what is wrong.
  return <SetupForm token={token} onRefused={setRefusal} />;
}

function Asking() {
  return (
    <Entrance title="One moment">
      <p className="quiet" role="status">
        <Spinner /> Connecting...
      </p>
    </Entrance>
  );
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

/** No other name or password helps: what is needed is another link. */
function LinkRefused({ error }: { error: unknown }) {
  return (
    <Entrance title="This link does not work">
      <Notice error={error} />
      <p>
        <WhereTheLinkIs />
      </p>
    </Entrance>
  );
}

/** The server's words for a link that is not, or no longer, the one that it printed. */
const isRefusal = (error: unknown): boolean =>
  ['setup_done', 'setup_token_invalid'].includes(told(error).code);

function SetupForm({
  token,
  onRefused,
}: {
  token: string;
  /** Told why the link is not taken. */
  onRefused: (error: unknown) => void;
}) {
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
      try {
        await client.setup.complete({ token, username: username.trim(), password }, { signal });
      } catch (error) {
        if (!isRefusal(error)) throw error;
        onRefused(error);
        return;
      }
      setStep('starting');
      try {
        const session = await startFirstDesktop(signal);
        await navigate(session ? viewerPath(session) : '/sessions', { replace: true });
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
