/** What a session may use at most; what is missing is not limited. */
export interface SessionLimits {
  readonly memoryBytes?: number;
  readonly processes?: number;
  readonly cpus?: number;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/**
 * The limits of a template, `spec.defaultResources.limits` or `spec.defaultResources` with `memory` and `cpu` as
 * Kubernetes writes them (`2Gi`, `500m`), each at most what the platform allows.
 *
 * @throws RangeError naming what cannot be understood
 */
export function limitsOf(spec: Readonly<Record<string, unknown>>, most: SessionLimits): SessionLimits {
  const resources = asObject(spec['defaultResources']);
  const { memory, cpu } = { ...resources, ...asObject(resources['limits']) };
  const memoryBytes = smaller(memory === undefined ? undefined : bytes(memory), most.memoryBytes);
  const cpus = smaller(cpu === undefined ? undefined : cores(cpu), most.cpus);
  return {
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(cpus !== undefined && { cpus }),
    ...(most.processes !== undefined && { processes: most.processes }),
  };
}

/** Lines of shell that set what a process can be limited to by itself. */
export function rlimits({ memoryBytes }: SessionLimits): string {
  const lines = ['ulimit -c 0'];
  // Where the agent itself is bound more tightly, that stays.
  if (memoryBytes !== undefined) lines.push(`ulimit -d ${Math.ceil(memoryBytes / 1024)} 2>/dev/null || :`);
  return lines.join('\n');
}

/** For an administrator. */
export function describeRlimits({ memoryBytes, processes, cpus }: SessionLimits): string {
  const set = memoryBytes === undefined ? [] : [`each process at most ${mebibytes(memoryBytes)} of memory`];
  const unset = [processes !== undefined && 'processes', cpus !== undefined && 'CPU'].filter(Boolean);
  if (unset.length > 0) set.push(`${unset.join(' and ')} not limited for want of a writable cgroup`);
  return set.length > 0 ? `rlimit: ${set.join('; ')}` : 'none';
}

export function mebibytes(value: number): string {
  return `${Math.round(value / 2 ** 20)} MiB`;
}

function bytes(value: unknown): number {
  const found = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(found) ?? [];
  if (amount !== undefined && Number(amount) > 0) return Math.floor(Number(amount) * UNITS[unit ?? '']!);
  throw new RangeError(`memory is ${JSON.stringify(value)}; allowed is an amount such as 512Mi or 2Gi`);
}

function cores(value: unknown): number {
  const found = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  const [, amount, milli] = /^(\d+(?:\.\d+)?)(m)?$/.exec(found) ?? [];
  if (amount !== undefined && Number(amount) > 0) return Number(amount) / (milli ? 1000 : 1);
  throw new RangeError(`cpu is ${JSON.stringify(value)}; allowed is a number such as 500m or 2`);
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : Math.min(a, b ?? a);
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
