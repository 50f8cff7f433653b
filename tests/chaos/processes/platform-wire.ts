import type { Change } from '@streamspace/agent-core';

export type ChangeMethod = 'start' | 'stop' | 'hibernate' | 'wake';

/** How an agent asks the platform's process: a line of JSON each way, over a Unix socket. */
export type PlatformRequest =
  | {
      readonly id: number;
      readonly method: ChangeMethod;
      readonly sessionId: string;
      readonly change: Change;
    }
  | { readonly id: number; readonly method: 'list' }
  /** The caller waits no longer for request `of`. */
  | { readonly id: number; readonly method: 'cancel'; readonly of: number };

export type PlatformResponse =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };

/** Calls back with each line that is whole. */
export function lines(onLine: (line: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop()!;
    for (const part of parts) onLine(part);
  };
}
