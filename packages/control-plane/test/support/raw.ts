import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Lower-case name and value, in the order of the answer. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** How long an answer may take, in ms. */
const ANSWER_MS = 5_000;

/**
 * Sends bytes as they are and reads one answer: the whole of it, or its head where it is a WebSocket.
 *
 * @param lines of the head, without the empty one at its end
 */
export function sendRaw(port: number, lines: readonly string[], body = ''): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const timer = setTimeout(() => fail(new Error(`no answer to ${lines[0]}: ${text}`)), ANSWER_MS);
    const over = (): void => {
      clearTimeout(timer);
      socket.destroy();
    };
    const fail = (error: Error): void => {
      over();
      reject(error);
    };
    socket.on('error', fail);
    socket.on('end', () => fail(new Error(`closed without an answer to ${lines[0]}: ${text}`)));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const answer = parse(text);
      if (!answer) return;
      over();
      resolve(answer);
    });
    socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
  });
}

/** One answer, once it is there as a whole. Interim answers are left out. */
function parse(text: string): RawAnswer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const status = Number(first.split(' ')[1]);
  if (status === 100) return parse(text.slice(end + 4));
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const body = text.slice(end + 4);
  const length = Number(headers.find(([name]) => name === 'content-length')?.[1] ?? 0);
  return status !== 101 && body.length < length ? undefined : { status, headers, body };
}

/** What the problem document of an answer says. */
export const problemIn = ({ body }: RawAnswer): Record<string, unknown> =>
  JSON.parse(body) as Record<string, unknown>;

export const headersIn = ({ headers }: RawAnswer, name: string): string[] =>
  headers.filter(([one]) => one === name).map(([, value]) => value);
