import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { read, root } from './checkout.js';

/** The state machines of the product: title and file of each, in the order of the page. */
const MACHINES: readonly (readonly [title: string, file: string])[] = [
  ['Session', 'packages/control-plane/src/domain/session-machine.ts'],
  ['Command', 'packages/hub/src/command-machine.ts'],
  ['Agent connection', 'packages/hub/src/agent-connection-machine.ts'],
  ['Viewer connection', 'packages/control-plane/src/http/viewer-machine.ts'],
  ['Tunnel stream', 'packages/vnc-tunnel/src/stream-machine.ts'],
  ['Leadership term', 'packages/agent-core/src/term-machine.ts'],
  ['Login', 'packages/control-plane/src/auth/login-machine.ts'],
];

/** What a machine's file exports. */
interface Tables {
  readonly states: Readonly<Record<string, string>>;
  readonly events: Readonly<Record<string, string>>;
  readonly effects: Readonly<Record<string, string>>;
  readonly initial: readonly string[];
  readonly table: Readonly<Record<string, Readonly<Record<string, Outcome>>>>;
}

export interface Machine extends Tables {
  readonly title: string;
  readonly file: string;
  /** The comment above the table. */
  readonly comment: string;
}

interface Outcome {
  readonly to: string;
  readonly does?: readonly string[];
  /** A state that it passes through. */
  readonly via?: string;
  /** Other fields of an outcome, in words. */
  readonly [more: string]: unknown;
}

/** The text of the comment right above `export const …_MACHINE`. */
function commentOf(source: string): string {
  const above = source.split(/^export const [A-Z_]+_MACHINE\b/m)[0] ?? '';
  const comment = /\/\*\*\n((?: \*.*\n)+) \*\/\n$/.exec(above)?.[1] ?? '';
  return comment.replace(/^ \* ?/gm, '').replace(/\{@link (\w+)\}/g, '`$1`');
}

export async function machines(): Promise<Machine[]> {
  return Promise.all(
    MACHINES.map(async ([title, file]) => {
      const exported = (await import(join(root, file))) as Record<string, unknown>;
      const [, machine] = Object.entries(exported).find(([name]) => name.endsWith('_MACHINE'))!;
      return { title, file, comment: commentOf(read(file)), ...(machine as Tables) };
    }),
  );
}

const code = (name: string): string => `\`${name}\``;

function glossary(heading: string, of: Readonly<Record<string, string>>): string[] {
  const rows = Object.entries(of).map(([name, meaning]) => `| ${code(name)} | ${meaning} |`);
  return [`| ${heading} | meaning |`, '| --- | --- |', ...rows, ''];
}

/** What an event does in a state; empty where it changes nothing and does nothing. */
function cell(state: string, { to, does = [], ...more }: Outcome): string {
  const others = Object.entries(more).map(([name, value]) => `${name}: ${code(String(value))}`);
  return [
    ...(to === state && others.length === 0 ? [] : [`→ ${code(to)}`]),
    ...others,
    ...does.map(code),
  ].join(', ');
}

function transitions({ states, events, table }: Machine): string[] {
  const names = Object.keys(states);
  return [
    `| event | ${names.map(code).join(' | ')} |`,
    `| --- |${' --- |'.repeat(names.length)}`,
    ...Object.keys(events).map(
      (event) =>
        `| ${code(event)} | ${names.map((state) => cell(state, table[state]![event]!)).join(' | ')} |`,
    ),
    '',
  ];
}

/** Changes of state, the events that make the same one together. */
function diagram({ states, events, initial, table }: Machine): string[] {
  const arrows = Object.keys(states).flatMap((from) => {
    const targets = new Map<string, string[]>();
    for (const event of Object.keys(events)) {
      const { to, via } = table[from]![event]!;
      for (const target of via === undefined ? [to] : [to, via])
        if (target !== from) targets.set(target, [...(targets.get(target) ?? []), event]);
    }
    return [...targets].map(([to, by]) => `  ${from} --> ${to}: ${by.join(', ')}`);
  });
  return [
    '```mermaid',
    'stateDiagram-v2',
    ...initial.map((state) => `  [*] --> ${state}`),
    ...arrows,
    '```',
    '',
  ];
}

const section = (machine: Machine): string[] => [
  `## ${machine.title}`,
  '',
  `Source: [\`${machine.file}\`](../${machine.file}).`,
  '',
  machine.comment,
  ...diagram(machine),
  ...glossary('state', machine.states),
  ...glossary('event', machine.events),
  ...glossary('effect', machine.effects),
  ...transitions(machine),
];

/** `docs/machines.md`, as prettier leaves it. */
export async function machinesPage(): Promise<string> {
  const page = [
    '# State machines',
    '',
    'Each machine that the product depends on has one table in the source: what each event does in each state. A table is',
    'complete by its type, and a test drives the implementation through every cell, the SQL on each database included.',
    '',
    'In the tables below, an arrow is a change of state and the other names are effects. An empty cell changes nothing and',
    'does nothing. The diagrams show changes of state only.',
    '',
    'This page is made from the tables by `npx vitest run --project repository -u`.',
    '',
    ...(await machines()).flatMap(section),
  ].join('\n');
  const file = join(root, 'docs/machines.md');
  return format(page, { ...(await resolveConfig(file)), filepath: file });
}
