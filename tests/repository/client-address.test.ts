import { expect, it } from 'vitest';
import { files, read } from './checkout.js';

/** The one file that reads the peer of a connection and what proxies say of it. */
const READER = 'packages/control-plane/src/http/client-address.ts';

/** What depends on the settings of the app that the router is mounted in, or reads the connection itself. */
const FORBIDDEN =
  /\b(?:request|req)\.(?:ips?|secure|protocol|hostname|host|subdomains)\b|trust proxy|remoteAddress|\.encrypted\b|x-forwarded-|proxyAddr\(/i;
/** Of a socket, not of a request: how Node is given a connection again. */
const OF_SOCKETS = 'packages/control-plane/src/http/other-upgrades.ts';

it('only one file of the control plane reads addresses and schemes', () => {
  const found = files()
    .filter((file) => file.startsWith('packages/control-plane/src/') && ![READER, OF_SOCKETS].includes(file))
    .flatMap((file) =>
      // Comments and messages name headers; only code that reads them has their names in lower case.
      read(file)
        .split('\n')
        .filter(
          (line) => !/^\s*(?:\*|\/[/*])/.test(line) && FORBIDDEN.test(line.replace(/X-Forwarded-\w+/g, '')),
        )
        .map((line) => `${file}: ${line.trim()}`),
    );
  expect(found).toEqual([]);
});
