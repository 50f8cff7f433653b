import { useEffect, useId, useState } from 'react';
import type { Viewer } from '@streamspace/viewer';

/** Text to and from the desktop's clipboard. */
export function ClipboardPanel({
  viewer,
  copied,
  onClose,
}: {
  viewer: Viewer;
  copied: string;
  onClose: () => void;
}) {
  const id = useId();
  const [text, setText] = useState(copied);
  const [said, setSaid] = useState('');
  useEffect(() => setText(copied), [copied]);

  const send = (): void => {
    try {
      viewer.pasteText(text);
      onClose();
    } catch (error) {
      setSaid(error instanceof Error ? error.message : String(error));
    }
  };
  const copy = (): void => {
    const done = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('No clipboard here.'));
    done.then(
      () => setSaid('Copied.'),
      () => setSaid('The browser does not allow it: select the text and copy it by hand.'),
    );
  };
  return (
    <section
      className="popover"
      aria-labelledby={`${id}-title`}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <label id={`${id}-title`} htmlFor={id}>
        Clipboard of the desktop
      </label>
      <textarea
        id={id}
        rows={5}
        autoFocus
        value={text}
        placeholder="Text that you copy in the desktop appears here. Type or paste text to take it into the desktop."
        onChange={(event) => setText(event.target.value)}
      />
      <p className="field-hint" role="status">
        {said}
      </p>
      <div className="popover-actions">
        <button type="button" className="button" disabled={text === ''} onClick={copy}>
          Copy
        </button>
        <button type="button" className="button button-primary" onClick={send}>
          Send to desktop
        </button>
      </div>
    </section>
  );
}
