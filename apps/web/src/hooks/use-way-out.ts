import { useEffect } from 'react';

/**
 * A desktop takes every key, Tab too. Ctrl, Alt and Shift pressed together and let go lead out of it: `leave` is called
 * once all three are up, so that the desktop has seen them go up and none stays down there.
 */
export function useWayOut(leave: () => void): void {
  useEffect(() => {
    let together = false;
    const onKey = (event: KeyboardEvent): void => {
      const { ctrlKey, altKey, shiftKey } = event;
      const isModifier = ['Control', 'Alt', 'Shift', 'Meta'].includes(event.key);
      if (event.type === 'keydown') together = isModifier && ((ctrlKey && altKey && shiftKey) || together);
      else if (together && !ctrlKey && !altKey && !shiftKey) {
        together = false;
        // After the desktop's own handler of this very event.
        setTimeout(leave);
      }
    };
    // Before the desktop, which keeps its keys to itself.
    document.addEventListener('keydown', onKey, { capture: true });
    document.addEventListener('keyup', onKey, { capture: true });
    return () => {
      document.removeEventListener('keydown', onKey, { capture: true });
      document.removeEventListener('keyup', onKey, { capture: true });
    };
  }, [leave]);
}
