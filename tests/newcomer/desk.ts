import { until } from './start-command.js';

interface Session {
  id: string;
  state: string;
  generation: number;
}

/** What a person does in the browser, by HTTP. */
export class Desk {
  #token = '';

  constructor(readonly base: URL) {}

  async setUp(username: string, password: string): Promise<void> {
    const token = this.base.searchParams.get('token');
    const { token: access } = await this.#call<{ token: string }>('POST', '/api/v1/setup', {
      token,
      username,
      password,
    });
    this.#token = access;
  }

  async logIn(username: string, password: string): Promise<void> {
    const { token } = await this.#call<{ token: string }>('POST', '/api/v1/auth/login', {
      username,
      password,
    });
    this.#token = token;
  }

  createSession(id: string): Promise<Session> {
    return this.#call('POST', '/api/v1/sessions', { id, template: 'built-in-desktop' });
  }

  session(id: string): Promise<Session> {
    return this.#call('GET', `/api/v1/sessions/${id}`);
  }

  sessions(): Promise<Session[]> {
    return this.#call('GET', '/api/v1/sessions');
  }

  health(): Promise<{ status: string; pod_name: string }> {
    return this.#call('GET', '/health');
  }

  /** A viewer ticket is given for any session; that its desktop is there shows in the agent's own report. */
  async running(id: string): Promise<void> {
    let last: Session | undefined;
    await until(
      async () => {
        last = await this.session(id);
        return last.state === 'running';
      },
      20_000,
      () => `session ${id} is not running: ${JSON.stringify(last)}`,
    );
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(new URL(path, this.base), {
      method,
      headers: {
        ...(this.#token && { Authorization: `Bearer ${this.#token}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }
}
