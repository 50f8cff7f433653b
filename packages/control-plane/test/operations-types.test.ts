import { OPERATIONS, type AuditAction, type Operation } from '@streamspace/api';
import { expect, it } from 'vitest';
import { REQUEST_IDS, type Answer, type Call, type Handlers } from '../src/http/operations.js';

declare const handlers: Handlers;

/** Never called: that it compiles is the test. Each line below an `@ts-expect-error` must not. */
export function compiles(): void {
  const { getSession: _getSession, ...others } = handlers;
  // @ts-expect-error a handler is missing
  const incomplete: Handlers = others;

  // @ts-expect-error a reply lacks a field
  const lacking: Answer<'createTicket'> = { status: 201, body: { ticket: 't' } };
  // @ts-expect-error a reply has a field of another type
  const wrong: Answer<'getSetup'> = { status: 200, body: { required: 'yes' } };
  // @ts-expect-error a status that the table does not list
  const unlisted: Answer<'getSetup'> = { status: 204, body: { required: true } };
  // @ts-expect-error a body where the table has none
  const spurious: Answer<'logout'> = { status: 204, body: {} };

  // @ts-expect-error an operation without auth
  const open: Operation = withoutAuth;

  // @ts-expect-error an action that the table does not list
  const action: AuditAction = 'session_renamed';

  const call = {} as Call<'getSetup'>;
  // @ts-expect-error a public operation has no caller
  void call.caller.userId;
  const ofUser = {} as Call<'getSession'>;
  void [ofUser.caller.userId, ofUser.params.id];
  // @ts-expect-error a parameter that the path does not have
  void ofUser.params.name;
  void [incomplete, lacking, wrong, unlisted, spurious, open, action];
}

const { auth: _auth, ...withoutAuth } = OPERATIONS.getSession;

it('handles each operation that is not an upgrade', () => {
  const upgrades = Object.entries(OPERATIONS).filter(([, operation]) => 'upgrade' in operation);
  expect(REQUEST_IDS).toHaveLength(Object.keys(OPERATIONS).length - upgrades.length);
});
