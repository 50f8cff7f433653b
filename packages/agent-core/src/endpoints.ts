/** The control plane's two addresses for agents, from its base URL; a path of the base is kept. */
export function agentEndpoints(base: string, agentId: string): { register: string; connect: string } {
  const url = new URL(base);
  const secure = url.protocol === 'wss:' || url.protocol === 'https:';
  const root = `${url.host}${url.pathname.replace(/\/+$/, '')}/api/v1/agents`;
  return {
    register: `${secure ? 'https' : 'http'}://${root}/register`,
    connect: `${secure ? 'wss' : 'ws'}://${root}/connect?agent_id=${encodeURIComponent(agentId)}`,
  };
}
