import type { ControlPlaneEvent } from '@streamspace/control-plane';
import type { Log } from './log.js';

/**
 * Writes the control plane's events as the lines that operators of StreamSpace look for. Once `stop` has aborted,
 * agents that leave are no reason to warn.
 */
export function logEvents(log: Log, stop: AbortSignal): (event: ControlPlaneEvent) => void {
  return (event) => {
    switch (event.type) {
      case 'migrated':
        return log.info(`Database migrated: ${event.versions.join(', ')}`);
      case 'pod_name_awaited':
        return log.warn(
          `POD_NAME ${event.podName} belongs to a replica that started at ${event.startedAt.toISOString()} and reported ` +
            `${(event.silentMs / 1000).toFixed(1)} s ago (boot ${event.bootId}); waiting up to ${event.limitMs / 1000} s for it to end`,
        );
      case 'connections_forgotten':
        return log.warn(
          `[AgentHub] Forgot ${event.count} agent connections of replica ${event.podName ?? '(no name)'} ` +
            `(boot ${event.bootId ?? 'unknown'}), which does not run any more`,
        );
      case 'connections_restored':
        return log.warn(
          `[AgentHub] Restored ${event.agentIds.length} agents that are connected here and counted as offline: ${shortList(event.agentIds)}`,
        );
      case 'agent_registered':
        return log.info(
          `[AgentHub] Agent registered: ${event.agentId} (platform: ${event.platform}, region: ${event.region ?? 'none'})`,
        );
      case 'agent_online':
        return log.info(
          `[AgentHub] Agent connected: ${event.agentId} (epoch ${event.epoch}), heartbeat received`,
        );
      case 'agent_offline':
        return log[stop.aborted ? 'info' : 'warn'](
          `[AgentHub] Agent disconnected: ${event.agentId} (epoch ${event.epoch}): ${event.reason}`,
        );
      case 'agent_refused':
        return log.warn(`[AgentHub] Agent refused: ${event.agentId} (${event.code})`);
      case 'admin_created':
        return log.info(`Administrator ${event.username} created; the setup link is used up`);
      case 'login':
        return log.info(`User ${event.username} logged in`);
      case 'login_refused':
        return log.warn(`Login refused for ${event.username} (${event.code})`);
      case 'forwarded_header_ignored':
        return log.warn(
          `${event.header} of ${event.peer ?? 'a Unix socket'} is ignored: ` +
            (event.isTrustSet
              ? 'TRUST_PROXY does not name it. If it is a proxy of yours, add it there'
              : 'TRUST_PROXY is not set. If a proxy is in front, name it there: else the log, the audit and the limit of wrong passwords take the proxy for every client'),
        );
      case 'host_refused':
        return log.warn(
          `${event.detail} If people open it by that name, set PUBLIC_URL to its address, or add the name to ALLOWED_HOSTS; behind a proxy, have it pass on the Host header${unnamed(event)}`,
        );
      case 'origin_refused':
        return log.warn(`Login of a browser not used: ${event.detail}${unnamed(event)}`);
      case 'upgrade_missing':
        return log.warn(`GET ${event.path} came without an upgrade: ${event.detail}`);
      case 'refresh_refused':
        return log.warn(
          `Refresh refused for ${event.username}: the cookie of login ${event.loginId} came without its secret; somebody may have copied it`,
        );
      case 'session_created':
        return log.info(`Session ${event.sessionId} created for ${event.user} on agent ${event.agentId}`);
      case 'session_waiting':
        return log.info(`Session ${event.sessionId} of ${event.user} waits for an agent that can take it`);
      case 'session_placed':
        return event.agentId === null
          ? log.warn(`Session ${event.sessionId} of ${event.user} found no agent in time`)
          : log.info(`Session ${event.sessionId} of ${event.user} placed on agent ${event.agentId}`);
      case 'session_hibernating':
        return log.info(`Session ${event.sessionId} is to hibernate (${event.user})`);
      case 'session_waking':
        return log.info(`Session ${event.sessionId} is to wake (${event.user})`);
      case 'session_event':
        return log.debug(`Session ${event.sessionId}, ${event.kind}: ${event.message}`);
      case 'session_stopping':
        return log.info(`Session ${event.sessionId} is to stop (${event.user})`);
      case 'session_reconciled':
        return log.warn(
          `Session ${event.sessionId} reconciled with agent ${event.agentId}: ${event.action} (${event.reason})`,
        );
      case 'restarts_postponed':
        return log.warn(
          `Restarts on agent ${event.agentId} postponed: ${shortList(event.sessionIds)}. ${event.reason}`,
        );
      case 'sessions_unknown':
        return log.warn(
          `Agent ${event.agentId} holds sessions that the database does not know: ${shortList(event.sessionIds)}`,
        );
      case 'viewer_connected':
        return log.info(
          `VNC proxy connection established for session ${event.sessionId} (vnc_proxy, ${event.user}, ${event.mode}${from(event)})`,
        );
      case 'viewer_disconnected':
        return log.info(
          `VNC proxy connection closed for session ${event.sessionId} (vnc_proxy, ${event.user}, ${event.mode}${from(event)}): ` +
            `${event.code} ${event.reason}, ${event.bytesToViewer} bytes out, ${event.bytesFromViewer} bytes in, ` +
            `${Math.round(event.durationMs / 1000)} s`,
        );
      case 'viewer_refused':
        return log.warn(
          `VNC proxy connection refused for session ${event.sessionId ?? '(no id)'} (vnc_proxy${from(event)}): ${event.code} ${event.reason}`,
        );
    }
  };
}

/** Most agents or sessions that one line names. */
const SHOWN = 10;

const shortList = (ids: readonly string[]): string =>
  ids.length > SHOWN ? `${ids.slice(0, SHOWN).join(', ')} and ${ids.length - SHOWN} more` : ids.join(', ');

const from = ({ address }: { readonly address?: string }): string =>
  address === undefined ? '' : `, ${address}`;

/** Says that there were refusals that the log does not name. */
const unnamed = ({ unnamed: count = 0 }: { readonly unnamed?: number }): string =>
  count === 0 ? '' : ` (${count} more refused requests are not named: too many names in a minute)`;
