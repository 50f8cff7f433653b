import type { ServerKind } from '@streamspace/api';
import { openApiDocument, type OpenApiDocument } from '@streamspace/api/openapi';
import { mountOf } from '../mount.js';
import type { Handlers } from '../operations.js';
import type { Services } from '../services.js';

/** What monitoring and tools ask: probes, and the description of the API. */
export function probeHandlers(
  { podName, ready }: Services,
  kind: ServerKind,
): Pick<Handlers, 'getHealth' | 'getReadiness' | 'getOpenApi'> {
  // Made once: it costs milliseconds, and anyone may ask for it.
  let document: OpenApiDocument | undefined;
  return {
    getHealth: async () => ({ status: 200, body: { status: 'healthy', pod_name: podName } }),
    getReadiness: async () => {
      await ready();
      return { status: 200, body: { status: 'ready' } };
    },
    getOpenApi: async ({ response }) => {
      document ??= openApiDocument(kind);
      return { status: 200, body: { ...document, servers: [{ url: mountOf(response) || '/' }] } };
    },
  };
}
