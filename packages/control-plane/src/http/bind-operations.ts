import type { RequestId } from '@streamspace/api';
import {
  SCHEMAS,
  type BodyOf,
  type OperationSchemas,
  type ParamsOf,
  type QueryOf,
} from '@streamspace/api/schemas';
import { json, Router, type Request, type RequestHandler, type Response } from 'express';
import type { Authorizer } from './authorizer.js';
import { requireBody, requireFields, requireQuery } from './check-fields.js';
import { operationOf, type Call, type Handler, type Handlers } from './operations.js';

/** Largest body of a request; past it: 413 `body_too_large`. */
const BODY_LIMIT = '1mb';

const readBody = json({ limit: BODY_LIMIT });

export interface BindOptions {
  readonly authorizer: Authorizer;
  /** Rejects with `storage_full` while nothing more may be stored. */
  readonly room: () => Promise<void>;
}

/**
 * A router with a route for each operation. The steps of each are the same: who calls, is there room, the body, which
 * agent, the fields, the handler. A request that one step refuses does not reach the next step.
 */
export function bindOperations(ids: readonly RequestId[], handlers: Handlers, options: BindOptions): Router {
  const router = Router();
  const bindOne = <Id extends RequestId>(id: Id): void => bind(router, id, handlers[id], options);
  for (const id of ids) bindOne(id);
  return router;
}

function bind<Id extends RequestId>(
  router: Router,
  id: Id,
  handler: Handler<Id>,
  { authorizer, room }: BindOptions,
): void {
  const { auth, method, path, makesRoom } = operationOf(id);
  const schemas: OperationSchemas = SCHEMAS[id];
  const stores = method !== 'GET' && !makesRoom;
  const handle: RequestHandler = async (request, response) => {
    const user = await authorizer.byHead(auth, request);
    if (stores) await room();
    if (method !== 'GET') await run(readBody, request, response);
    const caller = auth === 'agent' ? await authorizer.agent(request) : user;
    const params = requireFields(schemas.params, request.params) as ParamsOf<Id>;
    const query = requireQuery(schemas.query, request.query) as QueryOf<Id>;
    const body = (schemas.body ? requireBody(schemas.body, request.body) : undefined) as BodyOf<Id>;
    const answer = await handler({ params, query, body, caller, request, response } as Call<Id>);
    response.status(answer.status);
    if (answer.body === undefined) response.end();
    else response.json(answer.body);
  };
  router[VERBS[method]](path.replaceAll(/\{(\w+)\}/g, ':$1'), handle);
}

const VERBS = { GET: 'get', POST: 'post', PUT: 'put', PATCH: 'patch', DELETE: 'delete' } as const;

/** Runs one middleware; rejects with what it passes on. */
function run(middleware: RequestHandler, request: Request, response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    void middleware(request, response, (error?: unknown) => (error ? reject(error as Error) : resolve()));
  });
}
