import type { SessionState } from '@streamspace/protocol';

/** A session as its user sees it. */
export interface Session {
  /** A DNS label. */
  readonly id: string;
  /** Name of the user whose it is. */
  readonly user: string;
  readonly userId: string;
  readonly template: string;
  readonly state: SessionState;
  readonly platform: string;
  /** The agent that it is placed on. */
  readonly agentId: string | null;
  /** Grows with each re-creation. */
  readonly generation: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Who asks. */
export interface Caller {
  readonly userId: string;
  readonly role: Role;
  /** Id of the login that the token was made for. Tokens of releases before 0008_login_secrets have none. */
  readonly sid?: string;
}

export const ROLES = ['admin', 'user'] as const;
export type Role = (typeof ROLES)[number];

/** What a viewer may do: take part, or only watch. */
export const VIEWER_MODES = ['control', 'view'] as const;
export type ViewerMode = (typeof VIEWER_MODES)[number];

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Whether a text can be a session's id: a label as in RFC 1123. */
export const isDnsLabel = (text: string): boolean => DNS_LABEL.test(text);
