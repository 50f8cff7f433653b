import { describe, expect, it } from 'vitest';
import { createClient } from '@streamspace/client';

describe('a token of the application', () => {
  const answers: { status: number; body: string }[] = [];
  const sent: (string | null)[] = [];
  const fetch: typeof globalThis.fetch = async (_input, init) => {
    sent.push(new Headers(init?.headers).get('authorization'));
    const { status, body } = answers.shift() ?? { status: 200, body: '[]' };
    return new Response(body, { status, headers: { 'content-type': 'application/json' } });
  };
  const client = (token: string | (() => string | Promise<string>), timeoutMs = 1_000) =>
    createClient({ baseUrl: 'http://host', fetch, token, timeoutMs });

  it('is sent with each call, and no header where it is empty', async () => {
    sent.length = 0;
    await client('one').templates.list();
    await client('').templates.list();
    await client(() => 'two').templates.list();
    expect(sent).toEqual(['Bearer one', null, 'Bearer two']);
  });

  it('is not sent again where the one that was refused comes again', async () => {
    sent.length = 0;
    answers.push({ status: 401, body: '{"code":"not_logged_in","status":401}' });
    await expect(client('one').templates.list()).rejects.toMatchObject({ status: 401 });
    expect(sent).toEqual(['Bearer one']);
  });

  it.each([
    ['fails', () => Promise.reject(new RangeError('no session')), 'no session'],
    [
      'throws',
      () => {
        throw new RangeError('no session');
      },
      'no session',
    ],
    ['never answers', () => new Promise<string>(() => undefined), 'no answer within 50 ms'],
    ['returns what a header cannot have', () => 'a\nb', 'not a string that a header can have'],
  ])('that %s fails the call with one code', async (_what, token, why) => {
    await expect(client(token, 50).templates.list()).rejects.toMatchObject({
      name: 'ApiError',
      code: 'token_unavailable',
      shouldRetry: false,
      detail: expect.stringContaining(why) as string,
    });
  });

  it('that no header can have is refused at once', () => {
    expect(() => client('a\nb')).toThrow('token has characters that a header cannot have.');
    expect(() => client(7 as never)).toThrow('token is a number; it must be a string or a function.');
  });
});
