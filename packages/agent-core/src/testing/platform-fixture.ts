import type { ByteChannel } from '@streamspace/vnc-tunnel';
import type { Platform, SessionSpec } from '../platform.js';

/** Talks over a stream as a viewer would. */
export interface StreamViewer {
  /** Has bytes go to the desktop and come back; rejects where they do not. Called several times in a row. */
  exchange(): Promise<void>;
  /**
   * The same with more than 64 KiB, given to the channel in chunks of odd sizes, some of them large: nothing may be
   * lost of any. @default the case that needs it is skipped
   */
  exchangeMuch?(): Promise<void>;
}

/** A place that belongs to one session, in words of the fixture: a path, `10.0.0.7:5900`, a socket's path. */
export interface SessionPlace {
  readonly kind: 'home' | 'port';
  readonly address: string;
}

/** Tries from inside a session what a program of it could reach. */
export interface IsolationProbe {
  /**
   * Where this session's home is, and where something of it listens: its desktop, or a listener that the fixture started
   * in it. At least one of each kind; each as a program outside the session would address it.
   */
  places(sessionId: string): Promise<readonly SessionPlace[]>;
  /**
   * Runs a program inside this session that reads or writes there, or connects. Resolves with whether that worked, and
   * rejects only when the program could not be run.
   */
  reaches(sessionId: string, place: SessionPlace): Promise<boolean>;
}

/**
 * A platform to be tried, and what its author can do to it from outside. What is optional makes more cases possible;
 * the report says which were skipped for want of it.
 */
export interface PlatformFixture {
  platform: Platform;
  /** Template and manifest that this platform can start. */
  template: Pick<SessionSpec, 'template' | 'manifest'>;
  /**
   * One whose start fails after it has begun, for example because its program ends at once.
   *
   * @default an empty manifest, which a platform may start nevertheless
   */
  failingTemplate?: Pick<SessionSpec, 'template' | 'manifest'>;
  /**
   * Another agent process takes the first one's place, as after SIGKILL: the first platform object gets no chance to
   * tidy up, and is not used again. Needed where the platform declares `survivesAgentRestart`.
   */
  restart?(): Promise<Platform>;
  /**
   * A platform object for an agent of another id, on the same place at the same time. Sessions are not shared: neither
   * has, sees or ends one of the other. Needed where a place can be shared by agents.
   */
  otherAgent?(): Promise<Platform>;
  /**
   * What sessions hold outside the platform object and should give back when they end: processes, sockets, containers,
   * files that are not a persistent home; a line each. Where it is there, nothing may be left after a stop.
   */
  leftovers?(): Promise<readonly string[]>;
  /** Ends the session's desktop behind the platform's back, as a crash would. */
  crash?(sessionId: string): Promise<void>;
  /**
   * From now on every change of this session waits, until its signal aborts or the returned function is called. One
   * that waits when `restart` is called never goes on: its process is dead.
   */
  hold?(sessionId: string): Promise<() => void>;
  /** What the platform runs on does not answer, until the returned function is called. */
  outage?(): Promise<() => void>;
  /** From now on every wake of this session fails half way, until the returned function is called. */
  failingWake?(sessionId: string): Promise<() => void>;
  /**
   * The session's home as the place keeps it: something to know this home by, such as its inode or what a file in it
   * says, the same for as long as the home is; `undefined` where there is none.
   */
  home?(sessionId: string): Promise<string | undefined>;
  /**
   * How to try whether sessions are kept apart, or a sentence that says why nobody can try: the report then says that it
   * was not tried. Needed where the platform declares `isolated`.
   */
  isolation?: IsolationProbe | { readonly notProbed: string };
  /**
   * @default one that speaks RFB with security type None. Much, for it, is a clipboard text of 100,000 characters and
   * the whole desktop as it is: of a message that lost bytes no server finds the end, and answers nothing after it
   */
  viewer?(channel: ByteChannel): Promise<StreamViewer>;
  /** Releases the platform, its sessions, and whatever the fixture made. */
  close(): Promise<void>;
}
