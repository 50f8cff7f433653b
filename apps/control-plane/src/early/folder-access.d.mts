export interface FolderStats {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export interface User {
  readonly uid: number;
  readonly gids: readonly number[];
}

export function thisUser(): User | null;
export function judgeFolder(
  stats: FolderStats,
  names: readonly string[],
  me: User,
  othersIn: (gid: number) => readonly string[],
): 'tighten' | 'accept' | 'refuse';
export function protectFolder(path: string, refuse: (problem: string) => void, me?: User | null): void;
export function privateFolder(path: string, refuse: (problem: string) => void, me?: User | null): boolean;
export function privateFolderOrVolume(
  path: string,
  refuse: (problem: string) => void,
  me?: User | null,
): boolean;
export function privateFile(path: string, refuse: (problem: string) => void, me?: User | null): void;
export function othersInGroup(
  gid: number,
  uid: number,
  files?: { readonly passwd: string; readonly group: string },
): string[];
