import { afterEach, describe, expect, it, vi } from 'vitest';
import type { DesktopView, Rect } from '@streamspace/rfb';
import { BuiltInDesktop } from '../src/desktop/built-in-desktop.js';

afterEach(() => void vi.useRealTimers());

function desktop(now: () => Date = () => new Date(2026, 10, 22, 14, 7, 38)): BuiltInDesktop {
  return new BuiltInDesktop({
    session: 'one',
    home: '/homes/one',
    width: 640,
    height: 480,
    text: '',
    textBytes: 1000,
    drawing: undefined,
    now,
    textChanged: () => undefined,
    drawingChanged: () => undefined,
  });
}

/** A viewer that notes which areas were damaged. */
function viewer(): DesktopView & { damage: Rect[]; shapes: number; gone: number } {
  return {
    damage: [],
    shapes: 0,
    gone: 0,
    damaged(area) {
      this.damage.push(area);
    },
    moved: () => undefined,
    resized: () => undefined,
    cursorChanged() {
      this.shapes += 1;
    },
    clipboard: () => undefined,
    bell: () => undefined,
    closed() {
      this.gone += 1;
    },
  };
}

describe('The clock of the built-in desktop', () => {
  it('runs only while somebody looks', () => {
    vi.useFakeTimers();
    const shown = desktop();
    expect(vi.getTimerCount()).toBe(0);
    const [ada, bob] = [shown.attach(viewer()), shown.attach(viewer())];
    expect(vi.getTimerCount()).toBe(1);
    ada.detach();
    expect(vi.getTimerCount()).toBe(1);
    bob.detach();
    expect(vi.getTimerCount()).toBe(0);
    shown.attach(viewer());
    shown.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('draws the seconds once a second, and no more than they take', () => {
    vi.useFakeTimers({ now: new Date(2026, 10, 22, 14, 7, 38, 400) });
    const shown = desktop(() => new Date());
    const view = viewer();
    shown.attach(view);
    view.damage.length = 0;
    vi.advanceTimersByTime(599);
    expect(view.damage).toEqual([]);
    vi.advanceTimersByTime(3001);
    expect(view.damage).toHaveLength(4);
    expect(Math.max(...view.damage.map((rect) => rect.width * rect.height))).toBeLessThan(4000);
    shown.close();
  });
});

describe('A seat at the built-in desktop', () => {
  it('has the pointer shape of what it points at, whatever others point at', () => {
    const shown = desktop();
    const { page, canvas } = shown.screen.layout;
    const view = viewer();
    const [ada, bob] = [shown.attach(view), shown.attach(viewer())];
    const arrow = ada.cursor;
    ada.pointer({ x: page.x + 5, y: page.y + 5, buttons: 0 });
    const beam = ada.cursor;
    ada.pointer({ x: canvas.x + 5, y: canvas.y + 5, buttons: 0 });
    expect(new Set([arrow, beam, ada.cursor]).size).toBe(3);
    expect(view.shapes).toBe(2);
    expect(bob.cursor).toBe(arrow);
    shown.close();
  });

  it('draws strokes of its own', () => {
    const shown = desktop();
    const { canvas } = shown.screen.layout;
    const [ada, bob] = [shown.attach(viewer()), shown.attach(viewer())];
    const at = (x: number, y: number) => ({ x: canvas.x + x, y: canvas.y + y });
    ada.pointer({ ...at(20, 20), buttons: 1 });
    bob.pointer({ ...at(20, 120), buttons: 1 });
    ada.pointer({ ...at(120, 20), buttons: 0 });
    bob.pointer({ ...at(120, 120), buttons: 0 });
    const inkAt = (x: number, y: number) => shown.paint.drawing.pixels[y * shown.paint.drawing.width + x];
    expect(inkAt(70, 20)).not.toBe(0xffffff);
    expect(inkAt(70, 120)).not.toBe(0xffffff);
    expect(inkAt(70, 70)).toBe(0xffffff);
    shown.close();
  });

  it('types on after a click elsewhere, and shows again where keys go', () => {
    const shown = desktop();
    const { notes, canvas } = shown.screen.layout;
    const seat = shown.attach(viewer());
    const border = () => shown.framebuffer.pixels[(notes.y + 100) * 640 + notes.x];
    const focused = border();
    seat.pointer({ x: canvas.x + 9, y: canvas.y + 9, buttons: 1 });
    expect(border()).not.toBe(focused);
    seat.key({ keysym: 0x61, down: true });
    expect(border()).toBe(focused);
    expect(shown.notes.note.text).toBe('a');
    shown.close();
  });

  it('puts the caret where it clicks', () => {
    const shown = desktop();
    const { page } = shown.screen.layout;
    const seat = shown.attach(viewer());
    for (const character of 'abcdef') seat.key({ keysym: character.charCodeAt(0), down: true });
    seat.pointer({ x: page.x + 1, y: page.y + 10, buttons: 1 });
    seat.key({ keysym: 0x21, down: true });
    expect(shown.notes.note.text).toBe('!abcdef');
    seat.pointer({ x: page.x + 1, y: page.y + 10, buttons: 0 });
    seat.pointer({ x: page.x + 200, y: page.y + 10, buttons: 1 });
    seat.key({ keysym: 0x3f, down: true });
    expect(shown.notes.note.text).toBe('!abcdef?');
    shown.close();
  });

  it('is told once that the desktop has closed, and nobody sits down after that', () => {
    const shown = desktop();
    const view = viewer();
    shown.attach(view);
    shown.close();
    shown.close();
    expect(view.gone).toBe(1);
    expect(() => shown.attach(viewer())).toThrow('closed');
  });

  it('sees the same drawing after the screen was small for a while', () => {
    const shown = desktop();
    const seat = shown.attach(viewer());
    expect(seat.resize?.(1280, 800)).toBe(true);
    const { canvas } = shown.screen.layout;
    const far = { x: canvas.x + canvas.width - 20, y: canvas.y + canvas.height - 20 };
    seat.pointer({ ...far, buttons: 1 });
    const drawn = shown.framebuffer.pixels.slice();
    expect(seat.resize?.(640, 480)).toBe(true);
    expect(seat.resize?.(1280, 800)).toBe(true);
    expect(shown.framebuffer.pixels.findIndex((pixel, index) => pixel !== drawn[index])).toBe(-1);
    expect(seat.resize?.(639, 480)).toBe(false);
    shown.close();
  });
});
