import { describe, expect, it } from 'vitest';
import { browserUrl, pathOf } from '../src/address.js';

describe('the address to open', () => {
  it.each([
    ['127.0.0.1', undefined, 'http://127.0.0.1:8080/setup?token=t'],
    ['0.0.0.0', undefined, 'http://localhost:8080/setup?token=t'],
    ['::1', undefined, 'http://[::1]:8080/setup?token=t'],
    ['0.0.0.0', 'https://desk.example', 'https://desk.example/setup?token=t'],
    ['0.0.0.0', 'https://desk.example/', 'https://desk.example/setup?token=t'],
    ['0.0.0.0', 'https://desk.example/vdi', 'https://desk.example/vdi/setup?token=t'],
    ['0.0.0.0', 'https://desk.example/vdi/', 'https://desk.example/vdi/setup?token=t'],
  ])('follows from HOST=%s and PUBLIC_URL=%s', (host, publicUrl, url) => {
    expect(browserUrl(host, 8080, '/setup?token=t', publicUrl)).toBe(url);
  });

  it('has a path only where one is set', () => {
    expect([undefined, 'https://a.example/', 'https://a.example/b/c/'].map(pathOf)).toEqual(['', '', '/b/c']);
  });
});
