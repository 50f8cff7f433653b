import { setTimeout as sleep } from 'node:timers/promises';

/** How long one request may take, in ms; then the client asks again. */
const REQUEST_TIMEOUT_MS = 3_000;
/** Pause before asking again, in ms. */
const RETRY_MS = 50;
/** How long something may be asked for that the session's state does not allow yet, in ms. */
const STATE_LIMIT_MS = 60_000;

export interface SessionView {
  readonly id: string;
  readonly state: string;
  readonly generation: number;
}

/** A client of the control plane that asks for each thing until it is told yes. */
export class Api {
  #token = '';
  #retries = 0;

  constructor(readonly base: string) {}

  /** How often something had to be asked for again. */
  get retries(): number {
    return this.#retries;
  }

  async setUp(setupToken: string): Promise<void> {
    const answer = await this.#ask<{ token: string }>('POST', '/api/v1/setup', {
      token: setupToken,
      username: 'ada',
      password: 'correct horse battery staple',
    });
    this.#token = answer.token;
  }

  async agentKey(agentId: string): Promise<string> {
    const answer = await this.#ask<{ api_key: string }>('POST', '/api/v1/admin/agents', {
      agent_id: agentId,
    });
    return answer.api_key;
  }

  /** Resolves when the session is to be running; one that is ending is waited for, and then begins anew. */
  async start(id: string): Promise<void> {
    for (;;) {
      const { state } = await this.#ask<SessionView>('POST', '/api/v1/sessions', {
        id,
        template: 'built-in-desktop',
      });
      if (state === 'pending' || state === 'running') return;
      await sleep(RETRY_MS);
    }
  }

  /** Resolves when the session is to end. */
  async stop(id: string): Promise<void> {
    await this.#ask('POST', `/api/v1/sessions/${id}/stop`, {});
  }

  /** Resolves when the session is to hibernate, or to wake; its state may not allow it yet. */
  async change(id: string, action: 'hibernate' | 'wake'): Promise<void> {
    const limit = performance.now() + STATE_LIMIT_MS;
    await this.#ask('POST', `/api/v1/sessions/${id}/${action}`, {}, (code) => {
      return code === 'session_state' && performance.now() < limit;
    });
  }

  /** Asks for a session once; the status of the answer, 0 where none came. */
  async create(id: string): Promise<number> {
    const answer = await this.#once('POST', '/api/v1/sessions', { id, template: 'built-in-desktop' });
    return answer?.status ?? 0;
  }

  /** Status of each agent. */
  async agents(): Promise<Readonly<Record<string, string>>> {
    const agents = await this.#ask<{ agent_id: string; status: string }[]>(
      'GET',
      '/api/v1/agents',
      undefined,
    );
    return Object.fromEntries(agents.map(({ agent_id, status }) => [agent_id, status]));
  }

  async #ask<T>(
    method: string,
    path: string,
    body: unknown,
    canPass: (code: string | undefined) => boolean = () => false,
  ): Promise<T> {
    for (;;) {
      const answer = await this.#once(method, path, body);
      if (answer?.ok) return answer.body as T;
      if (answer && canPass((answer.body as { code?: string }).code)) {
        await sleep(RETRY_MS);
        continue;
      }
      // What it says no to, it says no to for ever.
      if (answer && answer.status < 500 && answer.status !== 429)
        throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      this.#retries += 1;
      await sleep(RETRY_MS);
    }
  }

  /** `undefined` where no answer came. */
  async #once(
    method: string,
    path: string,
    body: unknown,
  ): Promise<{ ok: boolean; status: number; body: unknown } | undefined> {
    try {
      const response = await fetch(this.base + path, {
        method,
        headers: {
          'content-type': 'application/json',
          ...(this.#token && { authorization: `Bearer ${this.#token}` }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      return { ok: response.ok, status: response.status, body: await response.json() };
    } catch {
      return undefined;
    }
  }
}
