import type { AgentHealth, AgentMetrics } from '@streamspace/agent-core';

type Value = number | Readonly<Record<string, number>>;

interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** The label whose values are the keys, where there are several. */
  readonly label?: string;
  readonly value: (metrics: AgentMetrics, health: AgentHealth) => Value;
}

const METRICS: readonly Metric[] = [
  gauge('ready', 'Whether the agent is connected, or stands by.', (_, health) => Number(health.ready)),
  counter('commands_received_total', 'Commands that arrived.', (m) => m.commandsReceived),
  counter('commands_repeated_total', 'Commands that arrived again.', (m) => m.commandsRepeated),
  counter(
    'commands_adopted_total',
    'Commands that an earlier agent had carried out.',
    (m) => m.commandsAdopted,
  ),
  counter('commands_completed_total', 'Commands that succeeded.', (m) => m.commandsCompleted, 'action'),
  counter('commands_failed_total', 'Commands that failed.', (m) => m.commandsFailed, 'code'),
  gauge('commands_acting', 'Commands that are being carried out.', (m) => m.commandsActing),
  gauge(
    'commands_stuck',
    'Calls of the platform that went on after they were given up.',
    (m) => m.commandsStuck,
  ),
  gauge('commands_waiting', 'Commands that wait for their turn.', (m) => m.commandsWaiting),
  gauge('results_unreported', 'Results that the control plane does not have.', (m) => m.resultsUnreported),
  counter('connections_total', 'Connections that were welcomed.', (m) => m.connections),
  counter('disconnections_total', 'Connections that ended.', (m) => m.disconnections),
  counter('heartbeats_total', 'Heartbeats that were sent.', (m) => m.heartbeats),
  gauge(
    'heartbeat_late_seconds_max',
    'The longest that one was sent after its time.',
    (m) => m.heartbeatLateMs / 1000,
  ),
  counter('inventories_total', 'Inventories that were sent.', (m) => m.inventories),
  counter('inventory_failures_total', 'Lists of the platform that failed.', (m) => m.inventoryFailures),
  counter('reports_dropped_total', 'Reports of sessions that were dropped.', (m) => m.reportsDropped),
  counter('unreadable_messages_total', 'Messages that could not be read.', (m) => m.unreadableMessages),
  gauge('sessions', 'Sessions on the platform.', (m) => m.sessions, 'state'),
  gauge('streams', 'Streams that are open.', (m) => m.streams),
  counter('streams_opened_total', 'Streams that were opened.', (m) => m.streamsOpened),
  counter('streams_failed_total', 'Streams that came to nothing.', (m) => m.streamsFailed, 'code'),
  counter('stream_bytes_total', 'Bytes of streams.', bytes, 'direction'),
  counter(
    'viewer_messages_dropped_total',
    'Messages of viewers that their policy held back.',
    (m) => m.viewerMessagesDropped,
  ),
];

/** An agent's metrics in Prometheus' text format; every name begins with `streamspace_agent_`. */
export function prometheusText(metrics: AgentMetrics, health: AgentHealth): string {
  return METRICS.map(({ name, type, help, label, value }) => {
    const given = value(metrics, health);
    const full = `streamspace_agent_${name}`;
    const samples =
      typeof given === 'number'
        ? [`${full} ${given}`]
        : Object.entries(given).map(
            ([key, count]) => `${full}{${label ?? 'kind'}="${escaped(key)}"} ${count}`,
          );
    return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...samples, ''].join('\n');
  }).join('');
}

function counter(name: string, help: string, value: Metric['value'], label?: string): Metric {
  return { name, type: 'counter', help, value, ...(label !== undefined && { label }) };
}

function gauge(name: string, help: string, value: Metric['value'], label?: string): Metric {
  return { name, type: 'gauge', help, value, ...(label !== undefined && { label }) };
}

function bytes({ bytesToViewers, bytesFromViewers }: AgentMetrics): Value {
  return { to_viewers: bytesToViewers, from_viewers: bytesFromViewers };
}

const escaped = (text: string): string =>
  text.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
