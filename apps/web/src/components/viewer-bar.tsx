import { useCallback, useEffect, useRef, useState, type RefObject } from 'react';
import { Link } from 'react-router';
import type { Viewer } from '@streamspace/viewer';
import { useWayOut } from '../hooks/use-way-out.js';
import { ClipboardPanel } from './clipboard-panel.js';
import { BackIcon, ClipboardIcon, FullscreenIcon, KeyboardIcon, ShrinkIcon, StopIcon } from './icons.js';

interface ViewerBarProps {
  readonly name: string;
  readonly id: string;
  /** State of the connection, or of the session while that does not run. */
  readonly state: string;
  /** There while it is connected. */
  readonly viewer: Viewer | undefined;
  /** What the desktop copied last. */
  readonly clipboard: string;
  /** What fills the screen in full-screen mode. */
  readonly frame: RefObject<HTMLElement | null>;
  readonly onStop: (() => void) | undefined;
}

/** The slim bar over a desktop. Every button gives the keyboard back to the desktop. */
export function ViewerBar({ name, id, state, viewer, clipboard, frame, onStop }: ViewerBarProps) {
  const [clipboardOpen, setClipboardOpen] = useState(false);
  const [full, toggleFull] = useFullscreen(frame, () => viewer?.focus());
  const back = useRef<HTMLAnchorElement>(null);
  useWayOut(useCallback(() => back.current?.focus(), []));
  const closeClipboard = (): void => {
    setClipboardOpen(false);
    viewer?.focus();
  };
  return (
    <header className="viewer-bar">
      <Link
        ref={back}
        className="tool"
        to="/sessions"
        aria-label="All desktops"
        aria-keyshortcuts="Control+Alt+Shift"
        title="All desktops (Ctrl+Alt+Shift brings the keyboard here)"
      >
        <BackIcon />
      </Link>
      <h1 className="viewer-name">
        {name} <code>{id}</code>
      </h1>
      <p className="viewer-status" data-state={state} role="status">
        {wording(state)}
      </p>
      <div className="tools" role="group" aria-label="Desktop">
        <button
          type="button"
          className="tool"
          disabled={!viewer}
          title="Send Ctrl-Alt-Del"
          onClick={() => {
            viewer?.sendCtrlAltDel();
            viewer?.focus();
          }}
        >
          <KeyboardIcon /> <span className="tool-word">Ctrl-Alt-Del</span>
        </button>
        <button
          type="button"
          className="tool"
          disabled={!viewer}
          aria-expanded={clipboardOpen}
          title="Clipboard"
          onClick={() => (clipboardOpen ? closeClipboard() : setClipboardOpen(true))}
        >
          <ClipboardIcon /> <span className="tool-word">Clipboard</span>
        </button>
        <button
          type="button"
          className="tool"
          title={full ? 'Leave full screen' : 'Full screen'}
          onClick={toggleFull}
        >
          {full ? <ShrinkIcon /> : <FullscreenIcon />}{' '}
          <span className="tool-word">{full ? 'Leave full screen' : 'Full screen'}</span>
        </button>
        <button
          type="button"
          className="tool tool-danger"
          disabled={!onStop}
          title="Stop this desktop"
          onClick={onStop}
        >
          <StopIcon /> <span className="tool-word">Stop</span>
        </button>
      </div>
      {clipboardOpen && viewer && (
        <ClipboardPanel viewer={viewer} copied={clipboard} onClose={closeClipboard} />
      )}
    </header>
  );
}

function wording(state: string): string {
  const word = state.slice(0, 1).toUpperCase() + state.slice(1);
  return state === 'connecting' || state === 'reconnecting' ? `${word}...` : word;
}

/** Whether the frame fills the screen, and a switch. */
function useFullscreen(frame: RefObject<HTMLElement | null>, afterwards: () => void): [boolean, () => void] {
  const [full, setFull] = useState(false);
  useEffect(() => {
    const onChange = (): void => setFull(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', onChange);
    return () => document.removeEventListener('fullscreenchange', onChange);
  }, []);
  const toggle = (): void => {
    const done = document.fullscreenElement ? document.exitFullscreen() : frame.current?.requestFullscreen();
    // A browser may refuse; the page then simply stays as it is.
    done?.then(afterwards, afterwards);
  };
  return [full, toggle];
}
