import { isDeepStrictEqual } from 'node:util';
import { API_ERRORS, errorsOf, OPERATIONS, type Operation, type OperationId } from '@streamspace/api';
import { problemSchema, SCHEMAS, type OperationSchemas } from '@streamspace/api/schemas';

const PATTERNS = (Object.keys(OPERATIONS) as OperationId[]).map((id) => ({
  id,
  method: OPERATIONS[id].method,
  path: new RegExp(`^${OPERATIONS[id].path.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`, 'i'),
}));

/** The operation that a request is for. @param path below the mount, without the query */
export function operationAt(method: string, path: string): OperationId | undefined {
  return PATTERNS.find((one) => one.method === method && one.path.test(path))?.id;
}

/** Throws where an answer is not one that the contract of its operation describes. */
export function checkAnswer(method: string, target: string, status: number, body: unknown): void {
  const path = target.split('?')[0] ?? '';
  const id = operationAt(method, path);
  const fail = (why: string): never => {
    throw new Error(`${method} ${path} answered ${status} ${JSON.stringify(body)}: ${why}`);
  };
  if (status >= 400) {
    const problem = problemSchema.parse(body);
    const code = problem.code as keyof typeof API_ERRORS;
    if (API_ERRORS[code]?.status !== status) fail(`the code does not have this status`);
    if (id && !errorsOf(id).includes(code)) fail(`the contract of ${id} does not list the code`);
    if (
      !id &&
      ![
        'not_found',
        'host_not_allowed',
        'malformed_json',
        'body_too_large',
        'unsupported_media_type',
        'bad_request',
        'upgrade_required',
        'storage_full',
        'origin_not_allowed',
      ].includes(code)
    )
      fail('no operation has this path');
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
