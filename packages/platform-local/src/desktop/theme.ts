import { Typeface } from './typeface.js';

/** Colours, letters and measures of the built-in desktop. */
export const Colours = {
  barTint: 0x0f1b33,
  onBar: 0xf4f7fc,
  onBarSoft: 0xb9c6dc,
  window: 0xffffff,
  titleBar: 0xf3f5fa,
  line: 0xdfe4ee,
  ink: 0x1f2a3d,
  inkSoft: 0x76839a,
  accent: 0x3b6fe0,
  accentSoft: 0xe3ecfd,
  warning: 0xb3261e,
  shadow: 0x071026,
  rule: 0xeef1f7,
} as const;

/** Colours to paint with; the first is chosen at the start. */
export const PAINTS = [
  0x22304a, 0x3b6fe0, 0x1fa6a0, 0x4caf6d, 0xf2b134, 0xef7d3c, 0xe0526a, 0x8e5bd0,
] as const;
/** Thickness of the brush in pixels. */
export const BRUSHES = [3, 6, 12, 22] as const;
export const FIRST_BRUSH = 6;

export const Letters = {
  body: new Typeface(1, 1.25),
  title: new Typeface(1, 1.75),
  small: new Typeface(0.86, 1.1),
  clock: new Typeface(5, 4.2),
  clockMedium: new Typeface(3.6, 3.2),
  clockSmall: new Typeface(2.2, 2.2),
} as const;

export const LINE_HEIGHT = 24;
