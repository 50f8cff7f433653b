import type { IdleViewers } from './idle-viewers.js';
import type { PathId } from './paths.js';

/** Medians of one path's rounds. */
export interface Row {
  id: PathId;
  path: string;
  mbPerSecond: number;
  cpuSecondsPerGb: number;
  echoP50Us: number;
  echoP99Us: number;
  besideP50Us: number;
  besideP99Us: number;
}

/** What the tunnel has to reach, and what it did. */
export interface Goal {
  what: string;
  value: number;
  unit: 'x' | 's/GB' | 'KB';
  /** The bound. */
  goal: number;
  /** Which side of it is good. */
  is: 'at least' | 'at most';
  met: boolean;
}

/** Speed and latency are judged beside other relays in the same run, since a machine's own speed is nobody's merit. */
export function goals(rows: readonly Row[], idle: IdleViewers): Goal[] {
  const row = (id: PathId): Row => {
    const found = rows.find((each) => each.id === id);
    if (!found) throw new Error(`no row of the ${id}`);
    return found;
  };
  const tunnel = row('tunnel');
  return [
    goal('speed of the raw relay', tunnel.mbPerSecond / row('raw').mbPerSecond, 'x', 'at least', 0.45),
    goal('CPU time', tunnel.cpuSecondsPerGb, 's/GB', 'at most', 2.5),
    goal(
      'p99 of naive frames beside bulk',
      tunnel.besideP99Us / row('binary').besideP99Us,
      'x',
      'at most',
      0.25,
    ),
    goal('memory of an idle viewer', idle.heldBytesEach / 1e3, 'KB', 'at most', 20),
  ];
}

function goal(what: string, value: number, unit: Goal['unit'], is: Goal['is'], bound: number): Goal {
  // Not a number is no success.
  const met = is === 'at least' ? value >= bound : value <= bound;
  return { what, value, unit, goal: bound, is, met };
}

export function sentence({ what, value, unit, goal: bound, is, met }: Goal): string {
  const of = unit === 'x' ? 'x' : ` ${unit}`;
  return `${met ? 'met' : 'MISSED'}  ${what}: ${value.toFixed(2)}${of}, goal ${is} ${bound}${of}`;
}
