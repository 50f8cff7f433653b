import { CLOSE, FRAME_KIND, LIMITS, RESET_CODE, SUBPROTOCOL_V2 } from '@streamspace/protocol';
import { describe, expect, it } from 'vitest';
import { read } from './checkout.js';

const page = read('docs/protocol.md');

/** Rows of the page's tables: their cells, without the space that lines them up. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

const hasRow = (...cells: string[]): boolean => rows.some((row) => cells.every((cell) => row.includes(cell)));

/** What the packages' golden vectors hold is complete: their own test compares it with the source. */
function messageTypes(file: string): string[] {
  const vectors = JSON.parse(read(`packages/protocol/test/vectors/${file}`)) as {
    valid: { message: { type: string } }[];
  };
  return [...new Set(vectors.valid.map(({ message }) => message.type))];
}

/** The part of the page under this heading. */
const section = (heading: string): string =>
  page.split(/^#{2,3} /m).find((part) => part.startsWith(heading)) ?? '';

const number = (value: number): string =>
  value === Number.MAX_SAFE_INTEGER ? '2^53 − 1' : String(value).replace(/\B(?=(\d{3})+$)/g, ' ');

describe('docs/protocol.md', () => {
  it.each([
    ['agent-messages.json', 'From the agent'],
    ['control-messages.json', 'From the control plane'],
  ])('has a row for each message type of %s', (file, heading) => {
    const missing = messageTypes(file).filter((type) => !section(heading).includes(`\n| \`${type}\``));
    expect(missing).toEqual([]);
  });

  it('has a row for each frame kind, with its number', () => {
    const missing = Object.entries(FRAME_KIND).filter(([name, kind]) => !hasRow(String(kind), `\`${name}\``));
    expect(missing).toEqual([]);
  });

  it('has a row for each reset code, with its number', () => {
    const missing = Object.entries(RESET_CODE).filter(([name, code]) => !hasRow(String(code), `\`${name}\``));
    expect(missing).toEqual([]);
  });

  it('has a row for each close code, with its number', () => {
    const missing = Object.entries(CLOSE).filter(([name, code]) => !hasRow(String(code), `\`${name}\``));
    expect(missing).toEqual([]);
  });

  it('has a row for each limit, with its value', () => {
    const missing = Object.entries(LIMITS).filter(
      ([name, value]) => !rows.some((row) => row[1] === `\`${name}\`` && row[2]?.startsWith(number(value))),
    );
    expect(missing).toEqual([]);
  });

  it('names the subprotocol', () => {
    expect(page).toContain(`\`${SUBPROTOCOL_V2}\``);
  });
});
