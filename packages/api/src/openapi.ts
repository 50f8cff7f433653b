import type { z } from 'zod';
import { API_ERRORS, type ApiErrorCode } from './errors.js';
import {
  errorsOf,
  exists,
  OPERATIONS,
  type Operation,
  type OperationAuth,
  type OperationId,
  type ServerKind,
} from './operations.js';
import { VERSION } from './version.js';
import { jsonSchemaOf, namedJsonSchemas, type JsonSchema } from './json-schema.js';
import { SCHEMAS, type OperationSchemas } from './schemas.js';

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

const SECURITY_SCHEMES = {
  user: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  agent: { type: 'apiKey', in: 'header', name: 'X-Agent-API-Key' },
  ticket: { type: 'apiKey', in: 'query', name: 'ticket' },
  cookie: { type: 'apiKey', in: 'cookie', name: 'streamspace_refresh' },
} as const;

/** What a server of this kind asks for. How an embedding application knows its users is not ours to say. */
function schemesOf({ ownAccounts = false }: ServerKind): Record<string, unknown> {
  if (!ownAccounts) return SECURITY_SCHEMES;
  const { agent, ticket } = SECURITY_SCHEMES;
  const description = 'By a token of the application, or by its cookie.';
  return { user: { type: 'http', scheme: 'bearer', description }, agent, ticket };
}

const SECURITY: Readonly<Record<OperationAuth, readonly Record<string, readonly string[]>[]>> = {
  public: [],
  user: [{ user: [] }],
  admin: [{ user: ['admin'] }],
  agent: [{ agent: [] }],
  ticket: [{ ticket: [] }],
  cookie: [{ cookie: [] }],
};

/**
 * Describes every operation. Upgrades are described as GET with 101.
 *
 * @param options.server URL or path below which the router is mounted. Default: the root
 */
export function openApiDocument(options: ServerKind & { server?: string } = {}): OpenApiDocument {
  const operations = Object.values<Operation>(OPERATIONS).filter((one) => exists(one, options));
  const paths: Record<string, Record<string, unknown>> = {};
  for (const id of Object.keys(OPERATIONS) as OperationId[]) {
    const { method, path } = OPERATIONS[id];
    if (operations.includes(OPERATIONS[id]))
      (paths[path] ??= {})[method.toLowerCase()] = describeOperation(id, options);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'StreamSpace', version: VERSION },
    servers: [{ url: options.server || '/' }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: { schemas: namedJsonSchemas(), securitySchemes: schemesOf(options) },
  };
}

function describeOperation(id: OperationId, kind: ServerKind): object {
  const operation: Operation = OPERATIONS[id];
  const { params, query, body, reply }: OperationSchemas = SCHEMAS[id];
  const parameters = [...parametersOf(params, 'path'), ...parametersOf(query, 'query')];
  return {
    operationId: id,
    summary: operation.summary,
    tags: [operation.tag],
    security: SECURITY[operation.auth],
    ...(operation.scope !== null && { 'x-scope': operation.scope }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: jsonSchemaOf(body, 'input') } },
      },
    }),
    responses: {
      ...Object.fromEntries(
        operation.success.map((status) => [status, success(status, reply, operation.pages)]),
      ),
      ...problems(errorsOf(id, kind)),
    },
  };
}

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  101: 'Switching protocols',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No content',
};

function success(status: number, reply: z.ZodType | null, pages: Operation['pages']): object {
  const description = DESCRIPTIONS[status] ?? 'Success';
  if (!reply) return { description };
  const headers = pages && {
    Link: {
      description: `Where there is more: the next page, \`<…?${pages}=…>; rel="next"\` (RFC 8288).`,
      schema: { type: 'string' },
    },
  };
  return {
    description,
    ...(headers && { headers }),
    content: { 'application/json': { schema: jsonSchemaOf(reply, 'output') } },
  };
}

/** One response for each status: the codes that share it are listed. */
function problems(codes: readonly ApiErrorCode[]): Record<string, object> {
  const byStatus = new Map<number, ApiErrorCode[]>();
  for (const code of codes) {
    const { status } = API_ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      {
        description: of.map((code) => `\`${code}\`: ${API_ERRORS[code].title}`).join('; '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}

function parametersOf(schema: z.ZodObject, where: 'path' | 'query'): object[] {
  const { properties = {}, required = [] } = jsonSchemaOf(schema, 'input');
  return Object.entries(properties).map(([name, { description, ...of }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(description !== undefined && { description }),
    schema: of,
  }));
}

export { jsonSchemaOf, namedJsonSchemas, type JsonSchema } from './json-schema.js';
