import type { Capabilities } from '../platform.js';
import { CHAPTERS, type KitCase } from './kit/case.js';

/** What became of one case. */
export interface CaseResult {
  readonly chapter: string;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped, or what the platform did wrong. */
  readonly detail?: string;
}

/** What a platform has shown, and that in words. */
export interface PlatformCompliance {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly results: readonly CaseResult[];
  /** The report: a page of Markdown. */
  readonly markdown: string;
}

export interface PlatformIdentity {
  readonly name: string;
  readonly capabilities: Capabilities;
}

const MARK = { passed: '✓', failed: '✗', skipped: '–' } as const;
const FLAGS = ['hibernate', 'survivesAgentRestart', 'isolated'] as const;

/** @param platform `undefined` where not even a fixture could be opened */
export function compliance(
  cases: readonly KitCase[],
  results: readonly CaseResult[],
  platform: PlatformIdentity | undefined,
): PlatformCompliance {
  const count = (outcome: CaseResult['outcome']): number =>
    results.filter((result) => result.outcome === outcome).length;
  const [passed, failed, skipped] = [count('passed'), count('failed'), count('skipped')];
  const notRun = cases.length - results.length;
  const totals = `${passed} passed, ${failed} failed, ${skipped} skipped${notRun > 0 ? `, ${notRun} not run` : ''}.`;
  const lines = [
    `# Compliance of the platform ${platform ? inCell(platform.name) : '(never opened)'}`,
    '',
    totals,
  ];
  if (platform) lines.push('', ...capabilityTable(platform.capabilities));
  for (const chapter of CHAPTERS) {
    lines.push('', `## ${chapter}`, '', '|   | the platform | why |', '| - | ------------ | --- |');
    for (const one of cases.filter((each) => each.chapter === chapter)) {
      const result = results.find(({ name }) => name === one.name);
      const note = result?.detail === undefined ? one.why : `**${result.outcome}**: ${result.detail}`;
      lines.push(`| ${result ? MARK[result.outcome] : '?'} | ${inCell(one.name)} | ${inCell(note)} |`);
    }
  }
  return { passed, failed, skipped, results, markdown: `${lines.join('\n')}\n` };
}

function capabilityTable(capabilities: Capabilities): string[] {
  const rows = FLAGS.map((flag) => {
    const declared = capabilities[flag] === true;
    return `| ${flag} | ${declared ? 'yes' : 'no'} | ${inCell(capabilities.reasons?.[flag] ?? '')} |`;
  });
  return ['| capability | declared | reason |', '| ---------- | -------- | ------ |', ...rows];
}

/** One line, whatever a platform's message holds. */
function inCell(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').replace(/[\\|<>]/g, '\\$&');
}
