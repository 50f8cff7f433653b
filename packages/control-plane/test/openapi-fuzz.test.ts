import { openApiDocument, type JsonSchema } from '@streamspace/api/openapi';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../src/index.js';
import { memoryDatabase } from './support/memory-database.js';
import { arbitraryOf } from './support/arbitrary-json.js';
import { startDesk, type Desk } from './support/viewers.js';
import { addUser } from './support/users.js';

/** How many requests are sent. `STREAMSPACE_TEST_API_REQUESTS=10000 npx vitest run …` sends more. */
const REQUESTS = Number(process.env['STREAMSPACE_TEST_API_REQUESTS'] ?? 1_000);
/** For 10 000 requests on a busy machine, in ms. */
const TIMEOUT_MS = 60_000 + REQUESTS * 100;

/** Operations that some request must have reached with success. Others need a password, a secret or a running session. */
const REACHED = [
  ...[
    'getHealth',
    'getReadiness',
    'getOpenApi',
    'getSetup',
    'listTemplates',
    'listSessions',
    'listAgents',
    'listAudit',
  ],
  ...['getSession', 'listSessionEvents', 'createTicket', 'createSession', 'issueAgentKey', 'registerAgent'],
];

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly schema: JsonSchema;
}

interface Described {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: JsonSchema } };
  };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { schema: JsonSchema }>> }>
  >;
}

interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly of: Described;
}

const document = openApiDocument();
const endpoints: Endpoint[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, of]) => ({
    method: method.toUpperCase(),
    path,
    of: of as Described,
  })),
);
const http = endpoints.filter(({ of }) => of.responses['101'] === undefined);

const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);
ajv.addSchema({ $id: 'api', components: document.components });
const compile = (schema: JsonSchema) =>
  ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"api#/components')) as object);

let database: Database;
let desk: Desk;
/** What the senders of requests show. */
let credentials: readonly Readonly<Record<string, string>>[];

beforeAll(async () => {
  database = await memoryDatabase();
  desk = await startDesk(database, { maxSessionsPerUser: 20 });
  for (const id of ['kept', 'ended'])
    await desk.client.send('POST', '/api/v1/sessions', { template: 'desk', id });
  const user = await addUser(database, desk.server, 'bo');
  const admin = { authorization: `Bearer ${desk.client.token}` };
  const key = await desk.server.controlPlane.agents.issueKey('desk');
  credentials = [
    admin,
    admin,
    admin,
    { authorization: `Bearer ${user.token}` },
    { 'x-agent-api-key': key },
    {},
  ];
}, 60_000);
afterAll(async () => {
  await desk[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

interface Request {
  readonly endpoint: Endpoint;
  readonly who: number;
  readonly path: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** Bodies that mean something here, sent half of the time: else few requests would reach a handler. */
const KNOWN_BODIES: Readonly<Record<string, unknown>> = {
  createSession: { template: 'desk', waitForCapacity: true },
  createTicket: { mode: 'view' },
  issueAgentKey: { agent_id: 'desk-7' },
  registerAgent: { agentId: 'desk', platform: 'local' },
};
/** What ends a session, which would leave nothing for the other operations. */
const ENDING: ReadonlySet<string> = new Set(['stopSession', 'deleteSession', 'hibernateSession']);

const valuesOf = (parameters: readonly Parameter[], where: Parameter['in']) =>
  fc.record(
    Object.fromEntries(
      parameters
        .filter((one) => one.in === where)
        .map(({ name, schema }) => [name, arbitraryOf(schema, document.components.schemas)]),
    ),
    where === 'query' ? { requiredKeys: [] } : {},
  );

const requests: fc.Arbitrary<Request> = fc.constantFrom(...http).chain((endpoint) => {
  const { parameters = [], requestBody } = endpoint.of;
  const body = requestBody?.content['application/json'].schema;
  const { operationId } = endpoint.of;
  return fc.record({
    endpoint: fc.constant(endpoint),
    // Others than agents have no business with an agent’s operation.
    who: operationId === 'registerAgent' ? fc.constantFrom(4, 4, 4, 5) : fc.nat(5),
    path: fc.oneof(
      { weight: 1, arbitrary: valuesOf(parameters, 'path') },
      { weight: 3, arbitrary: fc.constant({ id: ENDING.has(operationId) ? 'ended' : 'kept' }) },
    ),
    query: fc.oneof(valuesOf(parameters, 'query'), fc.constant({})),
    body: body
      ? fc.oneof(arbitraryOf(body, document.components.schemas), fc.constant(KNOWN_BODIES[operationId]))
      : fc.constant(undefined),
  });
});

/** A text in a path: not empty, and no part that a client would resolve before it is sent. */
function segment(value: unknown): string {
  const text = encodeURIComponent(toWellFormed(String(value)));
  return text === '' || /^\.+$/.test(text) ? 's' : text;
}

const toWellFormed = (text: string): string => new TextDecoder().decode(new TextEncoder().encode(text));

async function send({ endpoint, who, path, query, body }: Request) {
  const url = new URL(
    desk.server.url + endpoint.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => segment(path[name])),
  );
  for (const [name, value] of Object.entries(query))
    url.searchParams.append(name, toWellFormed(String(value)));
  const response = await fetch(url, {
    method: endpoint.method,
    headers: {
      ...credentials[who],
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, type: response.headers.get('content-type')?.split(';')[0], text };
}

it(
  `answers ${REQUESTS} requests made from the OpenAPI document with what the document says, and never with 500`,
  async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const { of } = request.endpoint;
        const { status, type, text } = await send(request);
        expect(status, `${of.operationId}: ${text}`).not.toBe(500);
        const described = of.responses[String(status)];
        expect(
          described,
          `${of.operationId} answers ${status}, which is not described: ${text}`,
        ).toBeDefined();
        const content = Object.entries(described?.content ?? {});
        if (content.length === 0) expect(text).toBe('');
        else {
          const [[contentType, { schema }]] = content as [(typeof content)[0]];
          expect(type, of.operationId).toBe(contentType);
          const validate = compile(schema);
          expect(
            validate(JSON.parse(text)),
            `${of.operationId} ${status} ${ajv.errorsText(validate.errors)}: ${text}`,
          ).toBe(true);
        }
        const key = `${of.operationId} ${status}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }),
      { numRuns: REQUESTS },
    );
    expect(desk.server.errors).toEqual([]);
    // The generator reaches handlers, and not only the checks before them.
    const reached = [...seen.keys()].filter((key) => / 20\d$/.test(key)).map((key) => key.split(' ')[0]);
    expect(
      REACHED.filter((id) => !reached.includes(id)),
      JSON.stringify(Object.fromEntries(seen)),
    ).toEqual([]);
  },
  TIMEOUT_MS,
);
