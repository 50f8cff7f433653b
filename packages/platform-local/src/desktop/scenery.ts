import type { Rect } from '@streamspace/rfb';
import { TITLE_HEIGHT, type Layout } from './layout.js';
import { dropShadow, fillRounded, strokeRounded } from './shapes.js';
import { mix, Surface, type Colour } from './surface.js';
import { Colours, Letters } from './theme.js';
import { wallpaper } from './wallpaper.js';

const WINDOW_RADIUS = 12;
/** What never changes while the screen keeps its size: wallpaper, bar, windows' frames and shadows. */
export function paintScenery(layout: Layout, session: string, home: string): Surface {
  const surface = new Surface(layout.screen.width, layout.screen.height);
  surface.copy(wallpaper(surface.width, surface.height), surface.area, 0, 0);
  paintBar(surface, layout, session);
  paintWindow(surface, layout.notes, 'Notes');
  paintWindow(surface, layout.paint, 'Paint');
  paintGlass(surface, layout.clock, 16, 0.34);
  paintFooter(surface, layout.footer, session, home);
  return surface;
}

function paintBar(surface: Surface, layout: Layout, session: string): void {
  const { bar } = layout;
  tint(surface, bar, Colours.barTint, 0.62);
  tint(surface, { ...bar, y: bar.height - 1, height: 1 }, 0xffffff, 0.12);
  paintLogo(surface, 22, bar.height / 2);
  const y = Math.round((bar.height - Letters.title.capHeight) / 2);
  const end = Letters.title.draw(surface, 'StreamSpace', 42, y, Colours.onBar);
  const room = layout.barClock.x - end - 30;
  const name = Letters.body.fit(session, room);
  if (room > 60) {
    tint(surface, { x: end + 13, y: y - 2, width: 1, height: 15 }, 0xffffff, 0.3);
    Letters.body.draw(surface, name, end + 24, y, Colours.onBarSoft);
  }
}

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
