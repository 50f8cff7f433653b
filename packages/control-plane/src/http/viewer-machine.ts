import type { CLOSE } from '@streamspace/protocol';
import type { VIEWER_CLOSE } from './viewer-end.js';

const STATES = {
  admitting: 'Its ticket is being looked up.',
  waiting: 'It waits for its session to run.',
  opening: 'The session runs, and its agent was asked for the desktop.',
  joined: 'Bytes pass between viewer and desktop.',
  explaining: 'The stream of the desktop has ended, and it is being found out why.',
  closed: 'The WebSocket is down.',
} as const satisfies Record<string, string>;

const EVENTS = {
  ticket_taken: 'The ticket is good, and the session has a free slot.',
  ticket_refused: 'The ticket is missing, was used, or has expired.',
  slots_taken: 'The ticket is good, and the session has as many viewers as it may.',
  session_running: 'The session comes to run.',
  session_failed: 'The session fails.',
  session_hibernated: 'The session hibernates.',
  session_stopped: 'A user stops the session.',
  desktop_opened: 'The agent opens the desktop.',
  desktop_missing: 'The agent does not have the session.',
  desktop_refused: 'The agent refuses the desktop.',
  desktop_ended: 'The stream of the desktop ends in order.',
  desktop_violated: 'The agent resets the stream for what the viewer sent.',
  agent_lost: 'The connection of the agent is lost, and the agent connects again.',
  time_over: 'The time that the state may take passes.',
  idle: 'No byte passes for the idle time.',
  text: 'A text message of the viewer comes.',
  oversized: 'A message of the viewer comes that is larger than it may be.',
  silent: 'The viewer answers no ping.',
  viewer_left: 'The viewer closes the WebSocket.',
  viewer_lost: 'The socket of the viewer goes down.',
  plane_closed: 'The control plane stops.',
} as const satisfies Record<string, string>;

const EFFECTS = {
  connected: 'Operators are told that the viewer is connected.',
  disconnected: 'Operators are told that the viewer is disconnected, and why.',
  refused: 'Operators are told that the viewer was refused, and why.',
} as const satisfies Record<string, string>;

export type ViewerState = keyof typeof STATES;
export type ViewerEvent = keyof typeof EVENTS;
export type ViewerEffect = keyof typeof EFFECTS;

export interface ViewerOutcome {
  readonly to: ViewerState;
  /** The close code that the viewer gets, by its name; `tooLarge` is 1009 of RFC 6455. */
  readonly close?: keyof typeof CLOSE | keyof typeof VIEWER_CLOSE | 'tooLarge';
  readonly does?: readonly ViewerEffect[];
}

export type ViewerTable = Record<ViewerState, Record<ViewerEvent, ViewerOutcome>>;

/**
 * One viewer's WebSocket, from its upgrade on. Upgrades that are refused by host or origin never become one.
 *
 * Invariants:
 *
 * 1. A ticket is spent before anything else happens, also where the viewer is refused after that.
 * 2. Whatever ends a viewer closes its WebSocket with a code and a sentence. The first cause counts.
 * 3. Operators are told of each end in the same words: refused before the first byte could pass, disconnected after. A
 *    viewer that left while it waited was not refused.
 * 4. A viewer holds its slot of the session from its ticket until its WebSocket is down.
 * 5. What becomes of the session reaches a joined viewer through the end of its stream, and is then asked for once.
 * 6. Each wait is bounded: for the session, for the desktop, for the reason of an end. Within its bound a desktop that the
 *    agent does not have, and an agent that is not connected, are tried again.
 */
export const VIEWER_MACHINE = {
  states: STATES,
  events: EVENTS,
  effects: EFFECTS,
  initial: ['admitting'],
  table: {
    admitting: {
      ticket_taken: { to: 'waiting' },
      ticket_refused: { to: 'closed', close: 'unauthorized', does: ['refused'] },
      slots_taken: { to: 'closed', close: 'limitReached', does: ['refused'] },
      session_running: { to: 'admitting' },
      session_failed: { to: 'admitting' },
      session_hibernated: { to: 'admitting' },
      session_stopped: { to: 'admitting' },
      desktop_opened: { to: 'admitting' },
      desktop_missing: { to: 'admitting' },
      desktop_refused: { to: 'admitting' },
      desktop_ended: { to: 'admitting' },
      desktop_violated: { to: 'admitting' },
      agent_lost: { to: 'admitting' },
      time_over: { to: 'admitting' },
      idle: { to: 'admitting' },
      text: { to: 'closed', close: 'unsupportedData', does: ['refused'] },
      oversized: { to: 'closed', close: 'tooLarge', does: ['refused'] },
      silent: { to: 'closed' },
      viewer_left: { to: 'closed' },
      viewer_lost: { to: 'closed' },
      plane_closed: { to: 'closed', close: 'goingAway', does: ['refused'] },
    },
    waiting: {
      ticket_taken: { to: 'waiting' },
      ticket_refused: { to: 'waiting' },
      slots_taken: { to: 'waiting' },
      session_running: { to: 'opening' },
      session_failed: { to: 'closed', close: 'notFound', does: ['refused'] },
      session_hibernated: { to: 'waiting' },
      session_stopped: { to: 'closed', close: 'notFound', does: ['refused'] },
      desktop_opened: { to: 'waiting' },
      desktop_missing: { to: 'waiting' },
      desktop_refused: { to: 'waiting' },
      desktop_ended: { to: 'waiting' },
      desktop_violated: { to: 'waiting' },
      agent_lost: { to: 'waiting' },
      time_over: { to: 'closed', close: 'upstreamUnavailable', does: ['refused'] },
      idle: { to: 'waiting' },
      text: { to: 'closed', close: 'unsupportedData', does: ['refused'] },
      oversized: { to: 'closed', close: 'tooLarge', does: ['refused'] },
      silent: { to: 'closed' },
      viewer_left: { to: 'closed' },
      viewer_lost: { to: 'closed' },
      plane_closed: { to: 'closed', close: 'goingAway', does: ['refused'] },
    },
    opening: {
      ticket_taken: { to: 'opening' },
      ticket_refused: { to: 'opening' },
      slots_taken: { to: 'opening' },
      session_running: { to: 'opening' },
      session_failed: { to: 'opening' },
      session_hibernated: { to: 'opening' },
      session_stopped: { to: 'opening' },
      desktop_opened: { to: 'joined', does: ['connected'] },
      desktop_missing: { to: 'opening' },
      desktop_refused: { to: 'closed', close: 'forbidden', does: ['refused'] },
      desktop_ended: { to: 'opening' },
      desktop_violated: { to: 'opening' },
      agent_lost: { to: 'opening' },
      time_over: { to: 'closed', close: 'upstreamUnavailable', does: ['refused'] },
      idle: { to: 'opening' },
      text: { to: 'closed', close: 'unsupportedData', does: ['refused'] },
      oversized: { to: 'closed', close: 'tooLarge', does: ['refused'] },
      silent: { to: 'closed' },
      viewer_left: { to: 'closed' },
      viewer_lost: { to: 'closed' },
      plane_closed: { to: 'closed', close: 'goingAway', does: ['refused'] },
    },
    joined: {
      ticket_taken: { to: 'joined' },
      ticket_refused: { to: 'joined' },
      slots_taken: { to: 'joined' },
      session_running: { to: 'joined' },
      session_failed: { to: 'joined' },
      session_hibernated: { to: 'joined' },
      session_stopped: { to: 'joined' },
      desktop_opened: { to: 'joined' },
      desktop_missing: { to: 'joined' },
      desktop_refused: { to: 'joined' },
      desktop_ended: { to: 'explaining' },
      desktop_violated: { to: 'closed', close: 'protocolError', does: ['disconnected'] },
      agent_lost: { to: 'closed', close: 'upstreamUnavailable', does: ['disconnected'] },
      time_over: { to: 'joined' },
      idle: { to: 'closed', close: 'timeout', does: ['disconnected'] },
      text: { to: 'closed', close: 'unsupportedData', does: ['disconnected'] },
      oversized: { to: 'closed', close: 'tooLarge', does: ['disconnected'] },
      silent: { to: 'closed', does: ['disconnected'] },
      viewer_left: { to: 'closed', does: ['disconnected'] },
      viewer_lost: { to: 'closed', does: ['disconnected'] },
      plane_closed: { to: 'closed', close: 'goingAway', does: ['disconnected'] },
    },
    explaining: {
      ticket_taken: { to: 'explaining' },
      ticket_refused: { to: 'explaining' },
      slots_taken: { to: 'explaining' },
      session_running: { to: 'explaining' },
      session_failed: { to: 'closed', close: 'notFound', does: ['disconnected'] },
      session_hibernated: { to: 'closed', close: 'hibernated', does: ['disconnected'] },
      session_stopped: { to: 'closed', close: 'notFound', does: ['disconnected'] },
      desktop_opened: { to: 'explaining' },
      desktop_missing: { to: 'explaining' },
      desktop_refused: { to: 'explaining' },
      desktop_ended: { to: 'explaining' },
      desktop_violated: { to: 'explaining' },
      agent_lost: { to: 'explaining' },
      time_over: { to: 'closed', close: 'upstreamUnavailable', does: ['disconnected'] },
      idle: { to: 'explaining' },
      text: { to: 'closed', close: 'unsupportedData', does: ['disconnected'] },
      oversized: { to: 'closed', close: 'tooLarge', does: ['disconnected'] },
      silent: { to: 'closed', does: ['disconnected'] },
      viewer_left: { to: 'closed', does: ['disconnected'] },
      viewer_lost: { to: 'closed', does: ['disconnected'] },
      plane_closed: { to: 'closed', close: 'goingAway', does: ['disconnected'] },
    },
    closed: {
      ticket_taken: { to: 'closed' },
      ticket_refused: { to: 'closed' },
      slots_taken: { to: 'closed' },
      session_running: { to: 'closed' },
      session_failed: { to: 'closed' },
      session_hibernated: { to: 'closed' },
      session_stopped: { to: 'closed' },
      desktop_opened: { to: 'closed' },
      desktop_missing: { to: 'closed' },
      desktop_refused: { to: 'closed' },
      desktop_ended: { to: 'closed' },
      desktop_violated: { to: 'closed' },
      agent_lost: { to: 'closed' },
      time_over: { to: 'closed' },
      idle: { to: 'closed' },
      text: { to: 'closed' },
      oversized: { to: 'closed' },
      silent: { to: 'closed' },
      viewer_left: { to: 'closed' },
      viewer_lost: { to: 'closed' },
      plane_closed: { to: 'closed' },
    },
  },
} as const satisfies {
  states: Record<ViewerState, string>;
  events: Record<ViewerEvent, string>;
  effects: Record<ViewerEffect, string>;
  initial: readonly ViewerState[];
  table: ViewerTable;
};
