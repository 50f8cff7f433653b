import { describe, expect, it } from 'vitest';
import { noAgents, rankAgents, templateLabels, type AgentLoad } from '../src/domain/scheduling.js';

const agent = (more: Partial<AgentLoad>): AgentLoad => ({
  agentId: 'a',
  platform: 'local',
  region: 'north',
  labels: {},
  isIsolated: true,
  status: 'online',
  maxSessions: 10,
  sessions: 0,
  ...more,
});
const ids = (agents: readonly AgentLoad[]) => agents.map(({ agentId }) => agentId);

describe('placement', () => {
  it('prefers the agent that is used least', () => {
    const agents = [agent({ agentId: 'a', sessions: 5 }), agent({ agentId: 'b', sessions: 1 })];
    expect(ids(rankAgents(agents, {}))).toEqual(['b', 'a']);
  });

  it('takes only agents of the platform and region, with all of the labels', () => {
    const agents = [
      agent({ agentId: 'fits', platform: 'docker', labels: { gpu: 'a100', disk: 'ssd' } }),
      agent({ agentId: 'elsewhere', platform: 'docker', region: 'south', labels: { gpu: 'a100' } }),
      agent({ agentId: 'other-label', platform: 'docker', labels: { gpu: 'none' } }),
      agent({ agentId: 'no-label', platform: 'docker' }),
      agent({ agentId: 'other-platform', labels: { gpu: 'a100' } }),
    ];
    expect(ids(rankAgents(agents, { platform: 'docker', region: 'north', labels: { gpu: 'a100' } }))).toEqual(
      ['fits'],
    );
  });

  it('keeps those who are not administrators off agents that do not isolate sessions', () => {
    const agents = [
      agent({ agentId: 'shared', isIsolated: false }),
      agent({ agentId: 'walled', sessions: 9 }),
    ];
    expect(ids(rankAgents(agents, { unisolated: false }))).toEqual(['walled']);
    expect(ids(rankAgents(agents, { unisolated: true }))).toEqual(['shared', 'walled']);
    expect(noAgents(agents.slice(0, 1), { unisolated: false }).message).toContain(
      'shared: its sessions are not isolated from each other, so only administrators may use it',
    );
  });

  it('says of each agent every reason why it cannot', () => {
    const agents = [
      agent({ agentId: 'away', status: 'offline', region: null }),
      agent({ agentId: 'full', sessions: 10 }),
      agent({ agentId: 'other', platform: 'docker', labels: { gpu: 'none' } }),
      agent({ agentId: 'leaving', status: 'draining', labels: { gpu: 'a100' } }),
    ];
    const wanted = { platform: 'local', region: 'north', labels: { gpu: 'a100' } };
    expect(rankAgents(agents, wanted)).toEqual([]);
    expect(noAgents(agents, wanted)).toMatchObject({
      code: 'no_agents_available',
      message:
        'leaving: it is draining; ' +
        'full: its label gpu is missing, not a100, it is full (10 of 10 sessions); ' +
        'away: its region is unknown, not north, its label gpu is missing, not a100, it is offline; ' +
        'other: its platform is docker, not local, its label gpu is none, not a100.',
    });
    expect(noAgents([], {}).message).toBe('No agent has been added yet.');
  });

  it('reads a template’s labels from its manifest, whatever else is there', () => {
    const selector = (matchLabels: unknown) => templateLabels({ spec: { agentSelector: { matchLabels } } });
    expect(selector({ gpu: 'a100', count: 2 })).toEqual({ gpu: 'a100' });
    expect(selector(7)).toEqual({});
    expect(templateLabels({})).toEqual({});
    expect(templateLabels({ spec: null })).toEqual({});
  });
});
