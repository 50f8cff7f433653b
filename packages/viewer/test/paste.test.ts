import { afterEach, describe, expect, it, vi } from 'vitest';
import { createViewer, type Viewer } from '@streamspace/viewer';

// noVNC cannot be imported outside of a browser; no viewer gets as far as to need it here.
vi.mock('@novnc/novnc', () => ({ default: class {} }));

/** Stands for the page, whatever of it a viewer touches before there is a connection. */
const element: HTMLElement = new Proxy(() => undefined, {
  get: (_, name) => (name === 'then' ? undefined : element),
  set: () => true,
  apply: () => element,
}) as unknown as HTMLElement;

let viewer: Viewer | undefined;
afterEach(() => viewer?.close());

const MIB = 1024 * 1024;
const tooLong = expect.objectContaining({ name: 'ViewerError', code: 'text_too_long', shouldRetry: false });

describe('Text for the desktop', () => {
  it.each([
    ['of one byte more than a MiB', 'x'.repeat(MIB + 1)],
    ['of fewer characters that take more bytes', '€'.repeat(Math.floor(MIB / 3) + 1)],
  ])('%s is refused', (_, text) => {
    viewer = createViewer(element, { url: () => new Promise(() => undefined) });
    expect(() => viewer?.pasteText(text)).toThrow(tooLong);
    expect(() => viewer?.pasteText(text)).toThrow('at most 1048576');
  });

  it.each([
    ['of a MiB', 'x'.repeat(MIB)],
    ['of a MiB in UTF-8', '€'.repeat(Math.floor(MIB / 3))],
    ['of nothing', ''],
  ])('%s is not', (_, text) => {
    viewer = createViewer(element, { url: () => new Promise(() => undefined) });
    expect(() => viewer?.pasteText(text)).not.toThrow();
  });
});
