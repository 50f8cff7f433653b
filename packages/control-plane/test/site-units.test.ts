import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { ControlPlaneEvent } from '../src/index.js';
import { Refusal } from '../src/domain/errors.js';
import { siteProblems } from '../src/index.js';
import { clientReader, normalAddress, type IgnoredHeader } from '../src/http/client-address.js';
import { isHostAllowed } from '../src/http/hosts.js';
import { RecentKeys } from '../src/http/recent-keys.js';
import { Site, type ResolvedSite } from '../src/http/site.js';
import { parsePublicUrl, parseTrustProxy, type Parsed } from '../src/http/site-options.js';

function valueOf<T>(parsed: Parsed<T>): T {
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed.value;
}

const requestFrom = (
  remoteAddress: string | undefined,
  headers: Record<string, string>,
  encrypted = false,
): IncomingMessage =>
  ({
    headers,
    rawHeaders: Object.entries(headers).flat(),
    socket: { remoteAddress, encrypted },
  }) as unknown as IncomingMessage;

describe('the client of a request', () => {
  const read = (trustProxy: unknown, request: IncomingMessage) => {
    const ignored: IgnoredHeader[] = [];
    const client = clientReader(valueOf(parseTrustProxy(trustProxy)), (one) => ignored.push(one))(request);
    return { ...client, ignored };
  };
  const addressOf = (trustProxy: unknown, peer: string | undefined, forwardedFor: string) =>
    read(trustProxy, requestFrom(peer, { 'x-forwarded-for': forwardedFor })).address;

  it.each([
    ['is the peer where no proxy is trusted', undefined, '10.0.0.1', '192.0.2.7', '10.0.0.1'],
    ['is the peer where that is no trusted proxy', '10.0.0.2', '10.0.0.1', '192.0.2.7', '10.0.0.1'],
    ['is what a trusted proxy says', '10.0.0.1', '10.0.0.1', '192.0.2.7', '192.0.2.7'],
    ['is what a proxy of a trusted range says', '10.0.0.0/8', '10.1.2.3', '192.0.2.7', '192.0.2.7'],
    ['is what a proxy on this machine says', 'loopback', '127.0.0.1', '192.0.2.7', '192.0.2.7'],
    ['is not what the client wrote before', '10.0.0.1', '10.0.0.1', '198.51.100.1, 192.0.2.7', '192.0.2.7'],
    ['is before all trusted proxies', '10.0.0.0/8', '10.0.0.1', '192.0.2.7, 10.0.0.9', '192.0.2.7'],
    ['is before one proxy of one', 1, '10.0.0.1', '198.51.100.1, 192.0.2.7', '192.0.2.7'],
    ['is before two proxies of two', '2', '10.0.0.1', '198.51.100.1, 192.0.2.7', '198.51.100.1'],
    ['is IPv4 where it is mapped into IPv6', '10.0.0.1', '::ffff:10.0.0.1', '::ffff:192.0.2.7', '192.0.2.7'],
    ['is IPv6 in its shortest form', '::1', '::1', '2001:DB8:0:0::7', '2001:db8::7'],
    ['has no port', '10.0.0.1', '10.0.0.1', '192.0.2.7:4711', '192.0.2.7'],
    ['has no port, in IPv6', '10.0.0.1', '10.0.0.1', '[2001:db8::7]:4711', '2001:db8::7'],
    ['is the proxy where it says nothing', '10.0.0.1', '10.0.0.1', '', '10.0.0.1'],
    ['is the proxy where it says no address', '10.0.0.1', '10.0.0.1', 'unknown', '10.0.0.1'],
    [
      'is not beyond an entry that is no address',
      '10.0.0.0/8',
      '10.0.0.1',
      '192.0.2.7, x, 10.0.0.9',
      '10.0.0.9',
    ],
    ['is behind a Unix socket by a number of proxies', 1, undefined, '192.0.2.7', '192.0.2.7'],
    ['is unknown behind a Unix socket otherwise', 'loopback', undefined, '192.0.2.7', undefined],
  ])('%s', (_what, trust, peer, forwardedFor, address) => {
    expect(addressOf(trust, peer, forwardedFor)).toBe(address);
  });

  it('is found in a list of any length, whatever is in it', () => {
    const long = `${'198.51.100.1, '.repeat(100_000)}192.0.2.7`;
    expect(addressOf('10.0.0.1', '10.0.0.1', long)).toBe('192.0.2.7');
    expect(addressOf('0.0.0.0/1', '10.0.0.1', '10.9.9.9,'.repeat(100_000))).toBe('10.0.0.1');
    for (const odd of [',,,', ' , ,', '\u0000', '1.2.3.4.5', '::ffff:999.1.1.1', '[::1', '%', "';--", '1e3'])
      expect(addressOf('10.0.0.1', '10.0.0.1', odd)).toBe('10.0.0.1');
  });

  it.each([
    ['::ffff:c000:207', '192.0.2.7'],
    ['fe80::1%eth0', 'fe80::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['localhost', undefined],
    ['', undefined],
  ])('writes %s as %s', (text, canonical) => expect(normalAddress(text)).toBe(canonical));

  it.each([
    ['by TLS that ends here', undefined, {}, true, 'https', true],
    [
      'by TLS that ends here, whatever a proxy says',
      'loopback',
      { 'x-forwarded-proto': 'http' },
      true,
      'https',
      true,
    ],
    ['as a trusted proxy says', 'loopback', { 'x-forwarded-proto': 'https' }, false, 'https', true],
    [
      'as the first of several says',
      'loopback',
      { 'x-forwarded-proto': 'HTTPS , http' },
      false,
      'https',
      true,
    ],
    ['as a proxy says of a WebSocket', 'loopback', { 'x-forwarded-proto': 'wss' }, false, 'https', true],
    [
      'by http where a trusted proxy says so',
      'loopback',
      { 'x-forwarded-proto': 'http' },
      false,
      'http',
      true,
    ],
    ['in a way that a trusted proxy does not tell', 'loopback', {}, false, 'http', false],
    ['in a way that no word describes', 'loopback', { 'x-forwarded-proto': 'gopher' }, false, 'http', false],
    [
      'by http where that is no trusted proxy',
      '10.0.0.1',
      { 'x-forwarded-proto': 'https' },
      false,
      'http',
      true,
    ],
    [
      'in an unknown way where no proxy is named',
      undefined,
      { 'x-forwarded-proto': 'https' },
      false,
      'http',
      false,
    ],
  ])('comes %s', (_what, trust, headers, encrypted, scheme, isSchemeKnown) => {
    const request = requestFrom('127.0.0.1', headers as Record<string, string>, encrypted);
    expect(read(trust, request)).toMatchObject({ scheme, isSchemeKnown });
  });

  it('tells of headers that are ignored, and of no others', () => {
    const headers = { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https' };
    expect(read(undefined, requestFrom('127.0.0.1', headers)).ignored).toEqual([
      { header: 'X-Forwarded-For', peer: '127.0.0.1' },
    ]);
    expect(read('10.0.0.1', requestFrom('::1', { 'x-forwarded-proto': 'https' })).ignored).toEqual([
      { header: 'X-Forwarded-Proto', peer: '::1' },
    ]);
    expect(read('loopback', requestFrom('127.0.0.1', headers)).ignored).toEqual([]);
    expect(read(undefined, requestFrom('127.0.0.1', {})).ignored).toEqual([]);
  });
});

describe('the options of a site', () => {
  it.each([
    ['publicUrl', 'desk.example'],
    ['publicUrl', 'ftp://desk.example'],
    ['publicUrl', 'https://ann@desk.example'],
    ['publicUrl', 'https://desk.example?x=1'],
    ['publicUrl', 'https://desk.example/#x'],
    ['publicUrl', 'https://desk.example/a b'],
    ['publicUrl', 'https://desk.example/"><script>'],
    ['publicUrl', 'https://desk.example/a;b'],
    ['publicUrl', 'https://desk.example//evil.example'],
    ['publicUrl', 'https://desk.example.'],
    ['publicUrl', 'https:\\\\desk.example'],
    ['publicUrl', ''],
    ['publicUrl', 'https://desk.example/api'],
    ['publicUrl', 'https://desk.example/VNC/'],
    ['publicUrl', 'https://desk.example/health/x'],
    ['publicUrl', 'https://desk.example/ready'],
    ['publicUrl', 'https://desk.example/metrics'],
    ['publicUrl', 'https://desk.example/assets/vdi'],
    ['trustProxy', 'true'],
    ['trustProxy', true],
    ['trustProxy', 'yes'],
    ['trustProxy', 0],
    ['trustProxy', '0'],
    ['trustProxy', 33],
    ['trustProxy', 1.5],
    ['trustProxy', '10.0.0.0/33'],
    ['trustProxy', '0.0.0.0/0'],
    ['trustProxy', '::/0'],
    ['trustProxy', '10.0.0.1,proxy.example'],
    ['trustProxy', ''],
    ['trustProxy', []],
    ['hosts', '*'],
    ['hosts', 'https://desk.example'],
    ['hosts', 'desk.example:8080'],
    ['hosts', 'a.example,*.*.example'],
    ['hosts', 'desk.*'],
    ['hosts', 'desk.example.'],
    ['hosts', 7],
  ])('%s is refused with what is allowed: %j', (name, value) => {
    const problems = siteProblems({ [name]: value });
    expect(Object.keys(problems)).toEqual([name]);
    expect(Object.values(problems)[0]).toMatch(/^must be .+; got .+\./);
  });

  it('say which paths are taken, and take those that only begin like one', () => {
    expect(siteProblems({ publicUrl: 'https://desk.example/api/vdi' }).publicUrl).toMatch(
      /begin with \/api, \/assets, .*; got "https:\/\/desk\.example\/api\/vdi"\. Choose another path/,
    );
    expect(siteProblems({ publicUrl: 'https://desk.example/apiary/api' })).toEqual({});
  });

  it('say why every peer cannot be trusted', () => {
    expect(siteProblems({ trustProxy: 'true' }).trustProxy).toContain('each client choose the address');
  });

  it('are taken with a list or with commas between', () => {
    expect(
      siteProblems({
        publicUrl: 'https://desk.example/vdi/',
        trustProxy: 'loopback, 10.0.0.0/8,2001:db8::/32, ::1',
        hosts: ['desk', '*.desk.example', 'My_Host'],
      }),
    ).toEqual({});
    expect(siteProblems({ trustProxy: ['10.0.0.1', 'uniquelocal'], hosts: 'a, b.example' })).toEqual({});
    expect(siteProblems({})).toEqual({});
  });

  it.each([
    ['https://Desk.Example:443/vdi/', 'https://desk.example', true, 'desk.example', '/vdi'],
    ['http://desk.example:8080', 'http://desk.example:8080', false, 'desk.example', ''],
    ['https://[2001:db8::1]/', 'https://[2001:db8::1]', true, '[2001:db8::1]', ''],
    ['https://desk.example/a/../b.c', 'https://desk.example', true, 'desk.example', '/b.c'],
  ])('read %s', (text, origin, isHttps, hostname, path) => {
    expect(valueOf(parsePublicUrl(text))).toEqual({ origin, isHttps, hostname, path });
  });
});

describe('a Host', () => {
  const names = ['desk.example', '*.apps.example'];

  it.each([
    '127.0.0.1',
    '127.0.0.1:8080',
    '10.1.2.3',
    '[::1]',
    '[::1]:8080',
    '[2001:DB8::1]:443',
    'localhost',
    'LOCALHOST:8080',
    'a.localhost',
    'desk.example',
    'Desk.Example:8443',
    'x.apps.example',
    'y.x.apps.example:1',
  ])('%s is this server', (host) => expect(isHostAllowed(host, names)).toBe(true));

  it.each([
    '',
    'evil.example',
    'desk.example.',
    'localhost.',
    'desk.example.evil.example',
    'evildesk.example',
    'apps.example',
    '.apps.example',
    'evilapps.example',
    'localhost.evil.example',
    'notlocalhost',
    '127.0.0.1.evil.example',
    '127.0.0.1.',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '1.2.3.4.5',
    '[::1',
    '::1',
    '[::g]',
    '[evil.example]',
    'ann@desk.example',
    'desk.example@evil.example',
    'desk.example/x',
    'desk.example:8080:80',
    'desk.example:port',
    'desk.example, evil.example',
    'desk.example evil.example',
    ' desk.example',
    'desk.example\u0000',
  ])('%j is not this server', (host) => expect(isHostAllowed(host, names)).toBe(false));
});

describe('a site', () => {
  const site = (options: Partial<ResolvedSite>, events: ControlPlaneEvent[] = []) =>
    new Site(
      { publicUrl: undefined, trust: undefined, hosts: [], allowedOrigins: new Set(), ...options },
      (event) => events.push(event),
    );

  it('warns once of headers of a proxy that is not trusted', () => {
    const events: ControlPlaneEvent[] = [];
    const { clientOf } = site({}, events);
    for (const peer of ['127.0.0.1', '10.0.0.1', '10.0.0.2'])
      clientOf(requestFrom(peer, { 'x-forwarded-for': '192.0.2.7' }));
    expect(events).toEqual([
      {
        type: 'forwarded_header_ignored',
        header: 'X-Forwarded-For',
        peer: '127.0.0.1',
        isTrustSet: false,
      },
    ]);
  });

  it.each([
    ['https://desk.example', 'x', true],
    ['http://desk.example', 'x', false],
    ['https://localhost:8443', 'x', false],
    ['https://10.0.0.1', 'x', false],
    ['https://[::1]', 'x', false],
    [undefined, 'desk.example:8443', true],
    [undefined, '10.0.0.1:8443', false],
    [undefined, 'A.LOCALHOST', false],
  ])('has browsers keep to https at %s with Host %s: %s', (publicUrl, host, isTold) => {
    const one = site({ publicUrl: valueOf(parsePublicUrl(publicUrl)) });
    const told = one.transportSecurity(requestFrom('10.0.0.1', { host }, publicUrl === undefined));
    expect(told).toBe(isTold ? 'max-age=15552000' : undefined);
  });
});

describe('what is told of strangers', () => {
  it('is told once a minute for each key, and of no more than 100 keys in it', () => {
    let now = 0;
    const recent = new RecentKeys(() => now);
    expect(['a', 'a', 'b'].map((key) => recent.isDue(key))).toEqual([true, false, true]);
    const due = Array.from({ length: 200 }, (_, n) => recent.isDue(`key ${n}`)).filter(Boolean);
    expect(due).toHaveLength(98);
    now = 60_000;
    expect(recent.isDue('a')).toBe(true);
    expect(recent.isDue('key 199')).toBe(true);
  });

  it('counts what was not let through for too many keys, and not what was told already', () => {
    const recent = new RecentKeys(() => 0);
    for (let n = 0; n < 103; n += 1) recent.isDue(`key ${n}`);
    recent.isDue('key 0');
    expect([recent.takeUnnamed(), recent.takeUnnamed()]).toEqual([3, 0]);
  });

  it('names an origin although invented hosts have used up their share, and says how many hosts are not named', () => {
    let now = 0;
    const events: ControlPlaneEvent[] = [];
    const site = new Site(
      { publicUrl: undefined, trust: undefined, hosts: [], allowedOrigins: new Set() },
      (event) => events.push(event),
      () => new RecentKeys(() => now),
    );
    const refuseHost = (host: string) => site.hostRefusal(requestFrom('10.0.0.1', { host }), '/');
    for (let n = 0; n < 150; n += 1) refuseHost(`h${n}.example`);
    expect(events).toHaveLength(100);
    const request = requestFrom('10.0.0.1', { host: '10.0.0.1', origin: 'https://desk.example' });
    site.noteOriginRefused(request, new Refusal('origin_not_allowed', 'No.'));
    now = 60_000;
    refuseHost('desk.example');
    refuseHost('other.example');
    expect(events.slice(100)).toMatchObject([
      { type: 'origin_refused', origin: 'https://desk.example' },
      { type: 'host_refused', host: 'desk.example', unnamed: 50 },
      { type: 'host_refused', host: 'other.example' },
    ]);
    expect(events[102]).not.toHaveProperty('unnamed');
  });
});
