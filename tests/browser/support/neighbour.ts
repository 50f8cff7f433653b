import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Somebody else's server on another port of the same host name. */
export interface Neighbour extends AsyncDisposable {
  readonly url: string;
  /** The Cookie header of each request, with its path. */
  readonly received: { readonly path: string; readonly cookie: string | undefined }[];
  /** Set-Cookie of its answers from now on. */
  sets: string | undefined;
}

export async function startNeighbour(): Promise<Neighbour> {
  const received: Neighbour['received'] = [];
  const server = createServer((request, response) => {
    received.push({ path: request.url ?? '', cookie: request.headers.cookie });
    if (neighbour.sets !== undefined) response.setHeader('set-cookie', neighbour.sets);
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>neighbour</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const neighbour: Neighbour = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    sets: undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return neighbour;
}
