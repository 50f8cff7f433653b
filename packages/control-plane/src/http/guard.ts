import type { Request, RequestHandler, Response } from 'express';
import type { Refusal } from '../domain/errors.js';
import { problemOf, sendProblem } from './problem.js';
import type { Site } from './site.js';

/** Probes, below the mount: they come by the address of a pod, or by HTTP/1.0 without a Host, and tell no secrets. */
const PROBES: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);
/** Endpoints of agents, below the mount: what calls them has a key, which no page can send. */
const AGENTS: ReadonlySet<string> = new Set(['/api/v1/agents/register', '/api/v1/agents/connect']);

/**
 * Answers requests for another host with 421, and says where TLS is in use that browsers are to keep to it.
 *
 * @param isExempt which paths, as `request.path` has them, answer whatever the Host
 */
export function guard(site: Site, isExempt: (path: string) => boolean = isProbe): RequestHandler {
  return (request, response, next) => {
    const hsts = site.transportSecurity(request);
    // A host application may have set a stricter one.
    if (hsts !== undefined && !response.hasHeader('Strict-Transport-Security'))
      response.set('Strict-Transport-Security', hsts);
    const refusal = isExempt(request.path) ? undefined : site.hostRefusal(request, request.originalUrl);
    if (!refusal) next();
    else if (wantsPage(request)) sendPage(response, refusal);
    else sendProblem(response, refusal);
  };
}

const isProbe = (path: string): boolean => PROBES.has(path);
export const isAgentPath = (path: string): boolean => AGENTS.has(path);

/** A person who opened the address in a browser: programs of the API ask for JSON, or for anything. */
const wantsPage = (request: Request): boolean =>
  request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');

function sendPage(response: Response, refusal: Refusal): void {
  const { status, title, detail, remedy = '' } = problemOf(refusal);
  response
    .status(status)
    .set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
    .type('html')
    .send(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escaped(title)}</title>` +
        `<h1>${escaped(title)}</h1><p>${escaped(detail)}</p><p>${escaped(remedy)}</p></html>\n`,
    );
}

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
