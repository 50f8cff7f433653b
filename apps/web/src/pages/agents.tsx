import { useCallback } from 'react';
import type { AgentInfo } from '@streamspace/client';
import { client } from '../api.js';
import { Badge } from '../components/badge.js';
import { Notice } from '../components/notice.js';
import { Since } from '../components/since.js';
import { Spinner } from '../components/spinner.js';
import { usePoll } from '../hooks/use-poll.js';

const pauseMs = (): number => 5_000;

/** For admins: where desktops run. */
export function AgentsPage() {
  const agents = usePoll(
    useCallback((signal) => client.agents.list({ signal }), []),
    pauseMs,
  );
  return (
    <>
      <title>Agents · StreamSpace</title>
      <div className="page-head">
        <h1>Agents</h1>
      </div>
      <p className="page-lead">
        Each agent runs desktops on some machine or cluster and dials in to this server.
      </p>
      <Notice error={agents.error} />
      {!agents.data && !agents.error && (
        <p className="quiet" role="status">
          <Spinner /> Loading…
        </p>
      )}
      {agents.data?.length === 0 && <p className="quiet">No agent has registered yet.</p>}
      {agents.data && agents.data.length > 0 && <AgentTable agents={agents.data} />}
    </>
  );
}

function AgentTable({ agents }: { agents: readonly AgentInfo[] }) {
  return (
    <div className="table-frame">
      <table>
        <thead>
          <tr>
            <th scope="col">Agent</th>
            <th scope="col">State</th>
            <th scope="col">Platform</th>
            <th scope="col">Region</th>
            <th scope="col">Sessions</th>
            <th scope="col">Last heartbeat</th>
          </tr>
        </thead>
        <tbody>
          {agents.map((agent) => (
            <tr key={agent.agent_id}>
              <th scope="row">
                <code>{agent.agent_id}</code>
              </th>
              <td>
                <Badge state={agent.status} />
              </td>
              <td>{agent.platform}</td>
              <td>{agent.region || '–'}</td>
              <td>{sessionsOf(agent)}</td>
              <td>{agent.last_heartbeat ? <Since time={agent.last_heartbeat} /> : 'never'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** 0 as a maximum means unlimited. */
function sessionsOf({ capacity }: AgentInfo): string {
  const { current_sessions: now, max_sessions: most } = capacity;
  return most > 0 ? `${now} of ${most}` : `${now}`;
}
