const STATES = {
  fresh: 'Its refresh token was never replaced.',
  rotated: 'Its refresh token was replaced a moment ago: the one before is tolerated still.',
  settled: 'Its refresh token was replaced longer ago.',
  without_secret: 'A release before 0008_login_secrets made it: no login secret is stored.',
  expired: 'Its time is over, and it is not deleted yet.',
  ended: 'The login does not exist.',
} as const satisfies Record<string, string>;

const EVENTS = {
  refresh_present: 'A refresh brings the present token and the login secret.',
  refresh_last: 'A refresh brings the token before the present one and the login secret.',
  refresh_unknown: 'A refresh brings a token that is neither of the two, and the login secret.',
  refresh_without_token: 'A refresh brings the login secret alone.',
  refresh_present_without_secret: 'A refresh brings the present token and a wrong login secret, or none.',
  refresh_last_without_secret:
    'A refresh brings the token before the present one and a wrong login secret, or none.',
  refresh_unknown_without_secret: 'A refresh brings an unknown token and a wrong login secret, or none.',
  log_out_by_access_token: 'A log-out brings an access token of the login.',
  log_out_present: 'A log-out brings the present token and the login secret.',
  log_out_last: 'A log-out brings the token before the present one and the login secret.',
  log_out_unknown: 'A log-out brings an unknown token and the login secret.',
  log_out_without_token: 'A log-out brings the login secret alone.',
  log_out_without_secret: 'A log-out brings the present token and a wrong login secret, or none.',
  grace_passes: 'The grace period passes.',
  lifetime_passes: 'Its lifetime passes.',
  clean_up: 'Expired logins are deleted.',
} as const satisfies Record<string, string>;

const EFFECTS = {
  granted: 'The caller gets an access token and the present refresh token.',
  refused: 'The caller gets `not_logged_in`.',
  reported: 'The refusal is reported to the operator.',
} as const satisfies Record<string, string>;

export type LoginState = keyof typeof STATES;
export type LoginEvent = keyof typeof EVENTS;
export type LoginEffect = keyof typeof EFFECTS;

export interface LoginOutcome {
  readonly to: LoginState;
  readonly does?: readonly LoginEffect[];
}

export type LoginTable = Record<LoginState, Record<LoginEvent, LoginOutcome>>;

/**
 * One login: a browser that is logged in, with a refresh token that changes with each use and a login secret that never
 * does. In each state but `rotated` and `settled` there is no token before the present one: what is brought as such is
 * unknown.
 *
 * Invariants:
 *
 * 1. The refresh token alone proves nothing and changes nothing: servers on other ports of the same host see it.
 * 2. An unknown token with the right secret means that a token was stolen or copied, and ends the login.
 * 3. Two requests with the same token get the same successor.
 * 4. The token before the present one is tolerated for the grace period after it was replaced, and with the right secret
 *    only. Later it is an unknown one.
 * 5. A log-out ends the login by an access token, or by the secret together with the present or the last token.
 * 6. A login that has ended or expired grants nothing.
 */
export const LOGIN_MACHINE = {
  states: STATES,
  events: EVENTS,
  effects: EFFECTS,
  initial: ['fresh', 'without_secret'],
  table: {
    fresh: {
      refresh_present: { to: 'rotated', does: ['granted'] },
      refresh_last: { to: 'ended', does: ['refused'] },
      refresh_unknown: { to: 'ended', does: ['refused'] },
      refresh_without_token: { to: 'fresh', does: ['refused'] },
      refresh_present_without_secret: { to: 'fresh', does: ['refused', 'reported'] },
      refresh_last_without_secret: { to: 'fresh', does: ['refused'] },
      refresh_unknown_without_secret: { to: 'fresh', does: ['refused'] },
      log_out_by_access_token: { to: 'ended' },
      log_out_present: { to: 'ended' },
      log_out_last: { to: 'fresh' },
      log_out_unknown: { to: 'fresh' },
      log_out_without_token: { to: 'fresh' },
      log_out_without_secret: { to: 'fresh' },
      grace_passes: { to: 'fresh' },
      lifetime_passes: { to: 'expired' },
      clean_up: { to: 'fresh' },
    },
    rotated: {
      refresh_present: { to: 'rotated', does: ['granted'] },
      refresh_last: { to: 'rotated', does: ['granted'] },
      refresh_unknown: { to: 'ended', does: ['refused'] },
      refresh_without_token: { to: 'rotated', does: ['refused'] },
      refresh_present_without_secret: { to: 'rotated', does: ['refused', 'reported'] },
      refresh_last_without_secret: { to: 'rotated', does: ['refused', 'reported'] },
      refresh_unknown_without_secret: { to: 'rotated', does: ['refused'] },
      log_out_by_access_token: { to: 'ended' },
      log_out_present: { to: 'ended' },
      log_out_last: { to: 'ended' },
      log_out_unknown: { to: 'rotated' },
      log_out_without_token: { to: 'rotated' },
      log_out_without_secret: { to: 'rotated' },
      grace_passes: { to: 'settled' },
      lifetime_passes: { to: 'expired' },
      clean_up: { to: 'rotated' },
    },
    settled: {
      refresh_present: { to: 'rotated', does: ['granted'] },
      refresh_last: { to: 'ended', does: ['refused'] },
      refresh_unknown: { to: 'ended', does: ['refused'] },
      refresh_without_token: { to: 'settled', does: ['refused'] },
      refresh_present_without_secret: { to: 'settled', does: ['refused', 'reported'] },
      refresh_last_without_secret: { to: 'settled', does: ['refused'] },
      refresh_unknown_without_secret: { to: 'settled', does: ['refused'] },
      log_out_by_access_token: { to: 'ended' },
      log_out_present: { to: 'ended' },
      log_out_last: { to: 'ended' },
      log_out_unknown: { to: 'settled' },
      log_out_without_token: { to: 'settled' },
      log_out_without_secret: { to: 'settled' },
      grace_passes: { to: 'settled' },
      lifetime_passes: { to: 'expired' },
      clean_up: { to: 'settled' },
    },
    without_secret: {
      refresh_present: { to: 'without_secret', does: ['refused', 'reported'] },
      refresh_last: { to: 'without_secret', does: ['refused'] },
      refresh_unknown: { to: 'without_secret', does: ['refused'] },
      refresh_without_token: { to: 'without_secret', does: ['refused'] },
      refresh_present_without_secret: { to: 'without_secret', does: ['refused', 'reported'] },
      refresh_last_without_secret: { to: 'without_secret', does: ['refused'] },
      refresh_unknown_without_secret: { to: 'without_secret', does: ['refused'] },
      log_out_by_access_token: { to: 'ended' },
      log_out_present: { to: 'without_secret' },
      log_out_last: { to: 'without_secret' },
      log_out_unknown: { to: 'without_secret' },
      log_out_without_token: { to: 'without_secret' },
      log_out_without_secret: { to: 'without_secret' },
      grace_passes: { to: 'without_secret' },
      lifetime_passes: { to: 'expired' },
      clean_up: { to: 'without_secret' },
    },
    expired: {
      refresh_present: { to: 'expired', does: ['refused'] },
      refresh_last: { to: 'expired', does: ['refused'] },
      refresh_unknown: { to: 'expired', does: ['refused'] },
      refresh_without_token: { to: 'expired', does: ['refused'] },
      refresh_present_without_secret: { to: 'expired', does: ['refused'] },
      refresh_last_without_secret: { to: 'expired', does: ['refused'] },
      refresh_unknown_without_secret: { to: 'expired', does: ['refused'] },
      log_out_by_access_token: { to: 'ended' },
      log_out_present: { to: 'ended' },
      log_out_last: { to: 'expired' },
      log_out_unknown: { to: 'expired' },
      log_out_without_token: { to: 'expired' },
      log_out_without_secret: { to: 'expired' },
      grace_passes: { to: 'expired' },
      lifetime_passes: { to: 'expired' },
      clean_up: { to: 'ended' },
    },
    ended: {
      refresh_present: { to: 'ended', does: ['refused'] },
      refresh_last: { to: 'ended', does: ['refused'] },
      refresh_unknown: { to: 'ended', does: ['refused'] },
      refresh_without_token: { to: 'ended', does: ['refused'] },
      refresh_present_without_secret: { to: 'ended', does: ['refused'] },
      refresh_last_without_secret: { to: 'ended', does: ['refused'] },
      refresh_unknown_without_secret: { to: 'ended', does: ['refused'] },
      log_out_by_access_token: { to: 'ended' },
      log_out_present: { to: 'ended' },
      log_out_last: { to: 'ended' },
      log_out_unknown: { to: 'ended' },
      log_out_without_token: { to: 'ended' },
      log_out_without_secret: { to: 'ended' },
      grace_passes: { to: 'ended' },
      lifetime_passes: { to: 'ended' },
      clean_up: { to: 'ended' },
    },
  },
} as const satisfies {
  states: Record<LoginState, string>;
  events: Record<LoginEvent, string>;
  effects: Record<LoginEffect, string>;
  initial: readonly LoginState[];
  table: LoginTable;
};
