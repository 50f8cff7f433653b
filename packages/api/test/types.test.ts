import { expectTypeOf, it } from 'vitest';
import type { z } from 'zod';
import type * as types from '../src/types.js';
import type { NAMED_SCHEMAS } from '../src/schemas.js';

/** Readonly all the way down: the interfaces are, and schemas cannot say it. */
type Frozen<T> = T extends object ? { readonly [Key in keyof T]: Frozen<T[Key]> } : T;
type OfSchema<Name extends keyof typeof NAMED_SCHEMAS> = Frozen<z.infer<(typeof NAMED_SCHEMAS)[Name]>>;

it('the interfaces are those of the schemas', () => {
  expectTypeOf<OfSchema<'User'>>().toEqualTypeOf<types.User>();
  expectTypeOf<OfSchema<'Login'>>().toEqualTypeOf<Frozen<types.Login>>();
  expectTypeOf<OfSchema<'SetupStatus'>>().toEqualTypeOf<types.SetupStatus>();
  expectTypeOf<OfSchema<'NewAdmin'>>().toEqualTypeOf<types.NewAdmin>();
  expectTypeOf<OfSchema<'Credentials'>>().toEqualTypeOf<types.Credentials>();
  expectTypeOf<OfSchema<'Template'>>().toEqualTypeOf<types.Template>();
  expectTypeOf<OfSchema<'SessionState'>>().toEqualTypeOf<types.SessionState>();
  expectTypeOf<OfSchema<'Session'>>().toEqualTypeOf<Frozen<types.Session>>();
  expectTypeOf<OfSchema<'NewSession'>>().toEqualTypeOf<Frozen<types.NewSession>>();
  expectTypeOf<OfSchema<'SessionEvent'>>().toEqualTypeOf<Frozen<types.SessionEvent>>();
  expectTypeOf<OfSchema<'ViewerMode'>>().toEqualTypeOf<types.ViewerMode>();
  expectTypeOf<OfSchema<'NewTicket'>>().toEqualTypeOf<types.NewTicket>();
  expectTypeOf<OfSchema<'Ticket'>>().toEqualTypeOf<types.Ticket>();
  expectTypeOf<OfSchema<'AgentInfo'>>().toEqualTypeOf<Frozen<types.AgentInfo>>();
  expectTypeOf<OfSchema<'NewAgentKey'>>().toEqualTypeOf<types.NewAgentKey>();
  expectTypeOf<OfSchema<'AgentKey'>>().toEqualTypeOf<types.AgentKey>();
  expectTypeOf<OfSchema<'AgentRegistration'>>().toEqualTypeOf<Frozen<types.AgentRegistration>>();
  expectTypeOf<OfSchema<'RegisteredAgent'>>().toEqualTypeOf<types.RegisteredAgent>();
  expectTypeOf<OfSchema<'AuditEntry'>>().toEqualTypeOf<Frozen<types.AuditEntry>>();
  expectTypeOf<OfSchema<'Health'>>().toEqualTypeOf<types.Health>();
  expectTypeOf<OfSchema<'Readiness'>>().toEqualTypeOf<types.Readiness>();
  expectTypeOf<OfSchema<'Problem'>>().toEqualTypeOf<types.Problem>();
});

it('every named schema has an interface', () => {
  expectTypeOf<keyof typeof NAMED_SCHEMAS>().toEqualTypeOf<
    | 'User'
    | 'Login'
    | 'SetupStatus'
    | 'NewAdmin'
    | 'Credentials'
    | 'Template'
    | 'SessionState'
    | 'Session'
    | 'NewSession'
    | 'SessionEvent'
    | 'ViewerMode'
    | 'NewTicket'
    | 'Ticket'
    | 'AgentInfo'
    | 'NewAgentKey'
    | 'AgentKey'
    | 'AgentRegistration'
    | 'RegisteredAgent'
    | 'AuditEntry'
    | 'Health'
    | 'Readiness'
    | 'Problem'
  >();
});
