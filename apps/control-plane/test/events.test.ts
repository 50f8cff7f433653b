import { describe, expect, it } from 'vitest';
import { logEvents } from '../src/events.js';
import { createLog } from '../src/log.js';

describe('the log of what is refused', () => {
  const lines: string[] = [];
  const tell = logEvents(
    createLog('info', (line) => lines.push(line)),
    new AbortController().signal,
  );

  it('names the setting that would allow it', () => {
    tell({
      type: 'forwarded_header_ignored',
      header: 'X-Forwarded-For',
      peer: '10.0.0.1',
      isTrustSet: false,
    });
    tell({
      type: 'forwarded_header_ignored',
      header: 'X-Forwarded-Proto',
      peer: undefined,
      isTrustSet: true,
    });
    tell({ type: 'host_refused', host: 'desk', detail: 'The Host "desk" is not accepted by this server.' });
    tell({ type: 'origin_refused', origin: 'https://a.example', detail: 'Set PUBLIC_URL.' });
    expect(lines).toEqual([
      expect.stringMatching(/^WARN: X-Forwarded-For of 10\.0\.0\.1 is ignored: TRUST_PROXY is not set\./),
      expect.stringMatching(
        /^WARN: X-Forwarded-Proto of a Unix socket is ignored: TRUST_PROXY does not name it\./,
      ),
      expect.stringMatching(/^WARN: The Host "desk" is not accepted .* PUBLIC_URL .* ALLOWED_HOSTS/),
      'WARN: Login of a browser not used: Set PUBLIC_URL.\n',
    ]);
  });

  it('says that upgrades do not arrive, and how many refusals have no line', () => {
    lines.length = 0;
    tell({ type: 'upgrade_missing', endpoint: 'viewer', path: '/vnc/s', detail: 'Have the proxy pass it.' });
    tell({ type: 'origin_refused', origin: 'https://a.example', detail: 'Set PUBLIC_URL.', unnamed: 7 });
    tell({ type: 'host_refused', host: 'desk', detail: 'No.', unnamed: 50 });
    expect(lines).toEqual([
      'WARN: GET /vnc/s came without an upgrade: Have the proxy pass it.\n',
      expect.stringMatching(/Set PUBLIC_URL\. \(7 more refused requests are not named.*\)\n$/),
      expect.stringMatching(/ \(50 more refused requests are not named.*\)\n$/),
    ]);
  });

  it('says where a viewer came from', () => {
    lines.length = 0;
    const who = { sessionId: 's', user: 'ann', mode: 'view' } as const;
    tell({ type: 'viewer_connected', ...who, address: '192.0.2.7' });
    tell({ type: 'viewer_refused', sessionId: 's', address: '192.0.2.7', code: 403, reason: 'No.' });
    expect(lines).toEqual([
      'INFO: VNC proxy connection established for session s (vnc_proxy, ann, view, 192.0.2.7)\n',
      'WARN: VNC proxy connection refused for session s (vnc_proxy, 192.0.2.7): 403 No.\n',
    ]);
  });
});
