/** X11 key symbols that are no characters, as far as they are used here. */
export const Keysym = {
  backspace: 0xff08,
  tab: 0xff09,
  enter: 0xff0d,
  escape: 0xff1b,
  home: 0xff50,
  left: 0xff51,
  up: 0xff52,
  right: 0xff53,
  down: 0xff54,
  pageUp: 0xff55,
  pageDown: 0xff56,
  end: 0xff57,
  keypadEnter: 0xff8d,
  shiftLeft: 0xffe1,
  shiftRight: 0xffe2,
  controlLeft: 0xffe3,
  controlRight: 0xffe4,
  altLeft: 0xffe9,
  altRight: 0xffea,
  metaLeft: 0xffe7,
  metaRight: 0xffe8,
  superLeft: 0xffeb,
  superRight: 0xffec,
  delete: 0xffff,
} as const;

/** The character that a key symbol stands for: Latin-1 by itself, other Unicode by X11's rule; else `undefined`. */
export function characterOf(keysym: number): string | undefined {
  if ((keysym >= 0x20 && keysym <= 0x7e) || (keysym >= 0xa0 && keysym <= 0xff)) {
    return String.fromCharCode(keysym);
  }
  if (keysym >= 0x0100_0100 && keysym <= 0x0110_ffff) {
    const point = keysym - 0x0100_0000;
    return point >= 0xd800 && point <= 0xdfff ? undefined : String.fromCodePoint(point);
  }
  return undefined;
}

/** The key symbol of one character; the inverse of {@link characterOf}. */
export function keysymOf(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  return point < 0x100 ? point : 0x0100_0000 + point;
}
