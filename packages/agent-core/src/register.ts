import { AgentError } from './errors.js';
import type { ResolvedAgentOptions } from './options.js';
import { redirected, redirectTarget } from './redirects.js';
import { retryAfterMs } from './retry-after.js';

/** How long one registration request may take, in ms. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Makes the agent known to the control plane.
 *
 * @throws AgentError `unauthorized` or `refused` (do not retry), `unreachable` (retry)
 */
export async function register(
  url: string,
  options: ResolvedAgentOptions,
  signal: AbortSignal,
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      // The key goes to the address that was configured and to no other. `manual` tells where it would have gone.
      redirect: 'manual',
      headers: { 'content-type': 'application/json', 'x-agent-api-key': options.apiKey },
      body: JSON.stringify({
        agentId: options.agentId,
        platform: options.platform.name,
        region: options.region,
        capacity: options.capacity,
        // Said either way: what the control plane keeps of an earlier registration is replaced.
        metadata: { isolated: options.platform.capabilities.isolated === true, labels: options.labels },
      }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
    if (response.ok) {
      await response.arrayBuffer();
      return;
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw new AgentError('unreachable', `cannot reach ${url}: ${reasonOf(cause)}`, true, { cause });
  }
  const target = redirectTarget(url, response.status, response.headers.get('location'));
  if (target !== undefined) {
    await response.arrayBuffer().catch(() => undefined);
    throw new AgentError('unreachable', redirected('registration', response.status, target), true);
  }
  const detail = (await response.text().catch(() => '')).slice(0, 300);
  const said = `registration answered ${response.status}${detail ? `: ${detail}` : ''}`;
  // A proxy's 403 may pass; only the control plane itself can say that the key is of no use.
  if (/"code":\s*"agent_key_/.test(detail)) throw new AgentError('unauthorized', said, false);
  const passing = [401, 403, 404, 408, 429].includes(response.status) || response.status >= 500;
  throw new AgentError(passing ? 'unreachable' : 'refused', said, passing, {
    retryAfterMs: retryAfterMs(response.headers.get('retry-after')),
  });
}

/** fetch says only "fetch failed"; what failed is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
