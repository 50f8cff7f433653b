const encoder = new TextEncoder();

/** A text with a caret in it, and no more bytes than it may have. Positions are in UTF-16 units. */
export class Note {
  #text: string;
  #caret: number;
  #bytes: number;

  /** @param mostBytes of the text as UTF-8; what would go beyond it is not inserted */
  constructor(
    text: string,
    readonly mostBytes: number,
  ) {
    this.#text = text;
    this.#caret = text.length;
    this.#bytes = encoder.encode(text).length;
  }

  get text(): string {
    return this.#text;
  }

  get caret(): number {
    return this.#caret;
  }

  set caret(position: number) {
    this.#caret = Math.max(0, Math.min(this.#text.length, position));
    if (this.#splitsCharacter(this.#caret)) this.#caret -= 1;
  }

  /** Answers whether there was room. */
  insert(text: string): boolean {
    const bytes = encoder.encode(text).length;
    if (this.#bytes + bytes > this.mostBytes) return false;
    this.#replace(this.#caret, this.#caret, text);
    this.#bytes += bytes;
    return true;
  }

  /** Removes the character before the caret; answers whether there was one. */
  backspace(): boolean {
    return this.#remove(this.before(), this.#caret);
  }

  /** Removes the character after the caret; answers whether there was one. */
  delete(): boolean {
    return this.#remove(this.#caret, this.after());
  }

  /** The position one character to the left of the caret. */
  before(): number {
    const position = Math.max(0, this.#caret - 1);
    return this.#splitsCharacter(position) ? position - 1 : position;
  }

  /** The position one character to the right of the caret. */
  after(): number {
    const position = Math.min(this.#text.length, this.#caret + 1);
    return this.#splitsCharacter(position) ? position + 1 : position;
  }

  #remove(from: number, to: number): boolean {
    if (from === to) return false;
    this.#bytes -= encoder.encode(this.#text.slice(from, to)).length;
    this.#replace(from, to, '');
    return true;
  }

  #replace(from: number, to: number, text: string): void {
    this.#text = this.#text.slice(0, from) + text + this.#text.slice(to);
    this.#caret = from + text.length;
  }

  /** Whether a position lies between the two halves of a surrogate pair. */
  #splitsCharacter(position: number): boolean {
    const before = this.#text.charCodeAt(position - 1);
    const after = this.#text.charCodeAt(position);
    return before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000;
  }
}
