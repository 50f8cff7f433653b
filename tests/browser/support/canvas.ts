import type { Page } from 'playwright-core';

// Functions that run in the page are given as text: the tests are compiled without the browser's types.

const PICTURE = `document.querySelector('.desktop canvas[role=application]')`;

/** How many different colours the desktop's picture has (at most 64 are counted); 0 without a picture. */
export function coloursShown(page: Page): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = ${PICTURE};
    if (!canvas || !canvas.width) return 0;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const pixels = new Uint32Array(data.buffer);
    const seen = new Set();
    for (let i = 0; i < pixels.length && seen.size < 64; i++) seen.add(pixels[i]);
    return seen.size;
  })()`);
}

/** A fingerprint of the picture in a region given in fractions of its size. */
export function fingerprint(
  page: Page,
  region: { x: number; y: number; width: number; height: number } = { x: 0, y: 0, width: 1, height: 1 },
): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = ${PICTURE};
    if (!canvas || !canvas.width) return 0;
    const { x, y, width, height } = ${JSON.stringify(region)};
    const { data } = canvas.getContext('2d').getImageData(
      Math.floor(x * canvas.width), Math.floor(y * canvas.height),
      Math.max(1, Math.floor(width * canvas.width)), Math.max(1, Math.floor(height * canvas.height)));
    let hash = 2166136261;
    for (const byte of data) hash = Math.imul(hash ^ byte, 16777619) >>> 0;
    return hash;
  })()`);
}

/** Whether the keyboard is the desktop's. */
export function desktopHasKeyboard(page: Page): Promise<boolean> {
  return page.evaluate<boolean>(`document.activeElement !== null && document.activeElement === ${PICTURE}`);
}
