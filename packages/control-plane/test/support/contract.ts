import { isDeepStrictEqual } from 'node:util';
import {
  API_ERRORS,
  errorsOf,
  exists,
  OPERATIONS,
  type Operation,
  type OperationId,
  type ServerKind,
} from '@streamspace/api';
import { problemSchema, SCHEMAS, type OperationSchemas } from '@streamspace/api/schemas';

const PATTERNS = (Object.keys(OPERATIONS) as OperationId[]).map((id) => ({
  id,
  method: OPERATIONS[id].method,
  path: new RegExp(`^${OPERATIONS[id].path.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`, 'i'),
}));

/** Codes for paths that are not an operation's. */
const OF_OTHER_PATHS: ReadonlySet<string> = new Set(['not_found', 'host_not_allowed', 'upgrade_required']);

/** The operation that a request is for. @param path below the mount, without the query */
function operationAt(method: string, path: string, kind: ServerKind): OperationId | undefined {
  const id = PATTERNS.find((one) => one.method === method && one.path.test(path))?.id;
  return id && exists(OPERATIONS[id], kind) ? id : undefined;
}

/** Throws where an answer is not one that the contract of its operation describes. */
export function checkAnswer(
  method: string,
  target: string,
  status: number,
  body: unknown,
  kind: ServerKind = {},
): void {
  const path = target.split('?')[0] ?? '';
  const id = operationAt(method, path, kind);
  const fail = (why: string): never => {
    throw new Error(`${method} ${path} answered ${status} ${JSON.stringify(body)}: ${why}`);
  };
  if (status >= 400) {
    const problem = problemSchema.parse(body);
    const code = problem.code as keyof typeof API_ERRORS;
    if (API_ERRORS[code]?.status !== status) fail(`the code does not have this status`);
    if (id && !errorsOf(id, kind).includes(code)) fail(`the contract of ${id} does not list the code`);
    if (!id && !OF_OTHER_PATHS.has(code)) fail('no operation has this path');
    return;
  }
  if (!id) return;
  const operation: Operation = OPERATIONS[id];
  const { reply }: OperationSchemas = SCHEMAS[id];
  if (!operation.success.includes(status)) fail(`the contract of ${id} does not list the status`);
  if (!reply) return;
  // Schemas drop what they do not know.
  if (!isDeepStrictEqual(reply.parse(body), body)) fail(`the contract of ${id} does not have all fields`);
}
