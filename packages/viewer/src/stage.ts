/**
 * The part of the page that a viewer owns: a box that fills the element, noVNC's elements in it, and, while there is no
 * connection, a dimmed copy of the last picture, so that a short loss does not blank the screen.
 */
export class Stage {
  /** Where noVNC puts its elements. */
  readonly box: HTMLElement;
  readonly #still: HTMLCanvasElement;

  constructor(element: HTMLElement) {
    const { ownerDocument: document } = element;
    this.box = document.createElement('div');
    Object.assign(this.box.style, {
      position: 'relative',
      width: '100%',
      height: '100%',
      overflow: 'hidden',
    });
    this.#still = document.createElement('canvas');
    this.#still.setAttribute('aria-hidden', 'true');
    this.#still.hidden = true;
    Object.assign(this.#still.style, {
      position: 'absolute',
      inset: '0',
      margin: 'auto',
      maxWidth: '100%',
      maxHeight: '100%',
      opacity: '0.45',
      pointerEvents: 'none',
    });
    this.box.append(this.#still);
    element.append(this.box);
  }

  /** The picture, where there is one. */
  get picture(): HTMLCanvasElement | null {
    return this.box.querySelector<HTMLCanvasElement>('div > canvas:not([aria-hidden])');
  }

  /** Makes the picture known to assistive technology, and reachable with the keyboard. */
  name(label: string): void {
    const { picture } = this;
    if (!picture) return;
    picture.tabIndex = 0;
    picture.setAttribute('role', 'application');
    picture.setAttribute('aria-label', label);
  }

  /** Copies the picture before it goes. */
  keepStill(): void {
    const { picture } = this;
    if (!picture || picture.width === 0 || picture.height === 0) return;
    this.#still.width = picture.width;
    this.#still.height = picture.height;
    Object.assign(this.#still.style, { width: picture.style.width, height: picture.style.height });
    this.#still.getContext('2d')?.drawImage(picture, 0, 0);
    this.#still.hidden = false;
  }

  dropStill(): void {
    this.#still.hidden = true;
    this.#still.width = 0;
    this.#still.height = 0;
  }

  /** The keyboard is the desktop's, or nobody's. */
  get mayTakeKeyboard(): boolean {
    const { ownerDocument: document } = this.box;
    const { activeElement } = document;
    return activeElement === null || activeElement === document.body || this.box.contains(activeElement);
  }

  remove(): void {
    this.box.remove();
  }
}
