import type { CursorImage, Desktop, DesktopSeat, DesktopView } from '@streamspace/rfb';
import { Picture } from './picture.js';
import type { Random } from '../random.js';
import { must } from '../target.js';

/** A desktop that does as the fuzzer says, and takes down what its viewer did. */
export class FakeDesktop implements Desktop {
  readonly name = 'desk';
  framebuffer: Picture;
  cursor: CursorImage | undefined;
  view: DesktopView | undefined;
  /** Keys, pointers, texts and sizes, as they came. */
  readonly events: string[] = [];
  detached = 0;

  constructor(
    private readonly random: Random,
    readonly lossy: boolean,
    private readonly mostSide: number,
  ) {
    this.framebuffer = this.#blank();
  }

  #blank(
    width = 1 + this.random.upTo(this.mostSide - 1),
    height = 1 + this.random.upTo(this.mostSide - 1),
  ): Picture {
    const picture = new Picture(width, height, this.lossy);
    picture.paint(this.random, { x: 0, y: 0, width, height });
    return picture;
  }

  attach(view: DesktopView): DesktopSeat {
    this.view = view;
    const see = (event: string): void => {
      must(this.detached === 0, `${event} after detach`);
      this.events.push(event);
    };
    const cursor = (): CursorImage | undefined => this.cursor;
    return {
      pointer: ({ x, y, buttons }) => see(`pointer ${x} ${y} ${buttons}`),
      key: ({ keysym, down }) => see(`key ${keysym} ${down}`),
      clipboard: (text) => see(`text ${Buffer.from(text, 'latin1').toString('hex')}`),
      resize: (width, height) => {
        see(`size ${width} ${height}`);
        if (width < 1 || height < 1 || width > this.mostSide || height > this.mostSide) return false;
        this.resize(width, height);
        return true;
      },
      get cursor() {
        return cursor();
      },
      detach: () => void (this.detached += 1),
    };
  }

  resize(width?: number, height?: number): void {
    this.framebuffer = this.#blank(width, height);
    this.view!.resized();
  }

  paint(): void {
    const rect = this.framebuffer.somewhere(this.random);
    this.framebuffer.paint(this.random, rect);
    this.view!.damaged(rect);
  }

  move(): void {
    const { width, height } = this.framebuffer;
    const rect = this.framebuffer.somewhere(this.random);
    const fromX = this.random.upTo(width - rect.width);
    const fromY = this.random.upTo(height - rect.height);
    this.framebuffer.move(rect, fromX, fromY);
    this.view!.moved(rect, fromX, fromY);
  }

  point(): void {
    const { random } = this;
    const [width, height] = [1 + random.upTo(20), 1 + random.upTo(20)];
    const picture = this.#blank(width, height);
    const mask = Uint8Array.from({ length: width * height }, () => random.upTo(1));
    this.cursor = random.chance(0.2)
      ? undefined
      : {
          width,
          height,
          hotX: random.upTo(width - 1),
          hotY: random.upTo(height - 1),
          pixels: picture.pixels,
          mask,
        };
    this.view!.cursorChanged();
  }

  /** Whatever may happen on a desktop. */
  happen(canResize: boolean): void {
    const { random } = this;
    switch (random.upTo(9)) {
      case 0:
      case 1:
      case 2:
        return this.paint();
      case 3:
      case 4:
      case 5:
      case 6:
        return this.move();
      case 7:
        return this.point();
      case 8:
        if (canResize && random.chance(0.3)) this.resize();
        return;
      default:
        if (random.chance(0.5)) this.view!.bell();
        else this.view!.clipboard(random.text(30).replace(/[^\0-\xff]/g, '?'));
    }
  }
}
