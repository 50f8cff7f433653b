import type { Rect } from '@streamspace/rfb';
import { TITLE_HEIGHT, type Layout } from './layout.js';
import { dropShadow, fillRounded, strokeRounded } from './shapes.js';
import { mix, Surface, type Colour } from './surface.js';
import { Colours, Letters } from './theme.js';
import { wallpaper } from './wallpaper.js';

const WINDOW_RADIUS = 12;
const PRODUCT = 'StreamSpace';
const PRODUCT_X = 42;

/** The last one that was painted: most sessions have the same size, and soft shadows take a fifth of a second. */
let latest: Surface | undefined;

/** What never changes while the screen keeps its size: wallpaper, bar, windows' frames and shadows, and the names. */
export function paintScenery(layout: Layout, session: string, home: string): Surface {
  const surface = new Surface(layout.screen.width, layout.screen.height);
  const same = backdrop(layout);
  surface.copy(same, same.area, 0, 0);
  paintName(surface, layout, session);
  paintFooter(surface, layout.footer, session, home);
  return surface;
}

/** All that is the same for every session of one size. Not to be drawn on: it may be handed out again. */
function backdrop(layout: Layout): Surface {
  const { width, height } = layout.screen;
  if (latest?.width === width && latest.height === height) return latest;
  const surface = new Surface(width, height);
  surface.copy(wallpaper(width, height), surface.area, 0, 0);
  paintBar(surface, layout);
  paintWindow(surface, layout.notes, 'Notes');
  paintWindow(surface, layout.paint, 'Paint');
  paintGlass(surface, layout.clock, 16, 0.34);
  latest = surface;
  return surface;
}

function paintBar(surface: Surface, { bar }: Layout): void {
  tint(surface, bar, Colours.barTint, 0.62);
  tint(surface, { ...bar, y: bar.height - 1, height: 1 }, 0xffffff, 0.12);
  paintLogo(surface, 22, bar.height / 2);
  Letters.title.draw(surface, PRODUCT, PRODUCT_X, letterTop(bar), Colours.onBar);
}

/** The session's name, behind the product's. */
function paintName(surface: Surface, { bar, barClock }: Layout, session: string): void {
  const y = letterTop(bar);
  const end = PRODUCT_X + Letters.title.measure(PRODUCT);
  const room = barClock.x - end - 30;
  if (room <= 60) return;
  tint(surface, { x: end + 13, y: y - 2, width: 1, height: 15 }, 0xffffff, 0.3);
  Letters.body.draw(surface, Letters.body.fit(session, room), end + 24, y, Colours.onBarSoft);
}

const letterTop = (bar: Rect): number => Math.round((bar.height - Letters.title.capHeight) / 2);

/** Two leaves of a window, one behind the other. */
function paintLogo(surface: Surface, x: number, y: number): void {
  fillRounded(surface, { x: x - 9, y: y - 9, width: 14, height: 14 }, 4, 0x8fd3d6);
  fillRounded(surface, { x: x - 4, y: y - 4, width: 14, height: 14 }, 4, 0xffffff);
}

function paintWindow(surface: Surface, rect: Rect, title: string): void {
  dropShadow(surface, { ...rect, y: rect.y + 10 }, WINDOW_RADIUS, 34, Colours.shadow, 0.34);
  dropShadow(surface, { ...rect, y: rect.y + 1 }, WINDOW_RADIUS, 6, Colours.shadow, 0.22);
  fillRounded(surface, rect, WINDOW_RADIUS, Colours.window);
  const head = new Surface(rect.width, TITLE_HEIGHT);
  head.copy(surface, { ...rect, height: TITLE_HEIGHT }, 0, 0);
  for (let y = 0; y < TITLE_HEIGHT; y++) {
    for (let x = 0; x < rect.width; x++) {
      // Only what the rounded window made white: its corners stay the wallpaper's.
      if (head.pixels[y * rect.width + x] === Colours.window) {
        surface.pixels[(rect.y + y) * surface.width + rect.x + x] = Colours.titleBar;
      }
    }
  }
  surface.fill({ ...rect, y: rect.y + TITLE_HEIGHT - 1, height: 1 }, Colours.line);
  const y = rect.y + Math.round((TITLE_HEIGHT - Letters.title.capHeight) / 2);
  fillRounded(surface, { x: rect.x + 20, y: y + 1, width: 9, height: 9 }, 3, Colours.accent);
  Letters.title.draw(surface, title, rect.x + 38, y, Colours.ink);
}

/** A pane that the wallpaper shines through. */
function paintGlass(surface: Surface, rect: Rect, radius: number, alpha: number): void {
  dropShadow(surface, { ...rect, y: rect.y + 6 }, radius, 22, Colours.shadow, 0.16);
  fillRounded(surface, rect, radius, Colours.barTint, alpha);
  strokeRounded(surface, rect, radius, 1, 0xffffff, 0.16);
}

function paintFooter(surface: Surface, rect: Rect, session: string, home: string): void {
  const face = Letters.small;
  const text = face.fit(`Session ${session}  ·  files are kept in ${home}`, rect.width - 32);
  const width = face.measure(text) + 32;
  const pill = { x: rect.x + Math.round((rect.width - width) / 2), y: rect.y, width, height: rect.height };
  fillRounded(surface, pill, rect.height / 2, Colours.barTint, 0.55);
  face.draw(
    surface,
    text,
    pill.x + 16,
    rect.y + Math.round((rect.height - face.capHeight) / 2),
    Colours.onBar,
  );
}

function tint(surface: Surface, rect: Rect, colour: Colour, alpha: number): void {
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    for (let x = rect.x; x < rect.x + rect.width; x++) {
      const at = y * surface.width + x;
      surface.pixels[at] = mix(surface.pixels[at] ?? 0, colour, alpha);
    }
  }
}
