import {
  OPERATIONS,
  type Operation,
  type OperationId,
  type Operations,
  type RequestId,
} from '@streamspace/api';
import type { BodyOf, ParamsOf, QueryOf, ReplyOf } from '@streamspace/api/schemas';
import type { Request, Response } from 'express';
import type { Caller } from '../domain/session.js';

/** Who calls, as `auth` of the operation has proved it. */
export interface Callers {
  readonly public: undefined;
  readonly cookie: undefined;
  readonly ticket: undefined;
  readonly user: Caller;
  readonly admin: Caller;
  readonly agent: { readonly agentId: string };
}

/** A request for an operation: authorized, and with fields that its schemas allow. */
export interface Call<Id extends RequestId> {
  readonly params: ParamsOf<Id>;
  readonly query: QueryOf<Id>;
  readonly body: BodyOf<Id>;
  readonly caller: Callers[Operations[Id]['auth']];
  readonly request: Request;
  /** For headers. The status and the body are those that the handler resolves with. */
  readonly response: Response;
}

export type Answer<Id extends RequestId> = {
  readonly status: Operations[Id]['success'][number];
} & (ReplyOf<Id> extends undefined ? { readonly body?: undefined } : { readonly body: ReplyOf<Id> });

export type Handler<Id extends RequestId> = (call: Call<Id>) => Promise<Answer<Id>>;

/** A handler for each operation of the API; without one of them it does not compile. */
export type Handlers = { readonly [Id in RequestId]: Handler<Id> };

/** The operations that are answered with HTTP, in the order of the table. */
export const REQUEST_IDS = (Object.keys(OPERATIONS) as OperationId[]).filter(
  (id): id is RequestId => !('upgrade' in OPERATIONS[id]),
);

export const operationOf = (id: RequestId): Operation => OPERATIONS[id];
