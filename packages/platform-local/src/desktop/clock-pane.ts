import { Label, type Screen } from './screen.js';
import { Colours, Letters } from './theme.js';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  ['January', 'February', 'March', 'April', 'May', 'June'],
  ['July', 'August', 'September', 'October', 'November', 'December'],
].flat();

/** The time: large on the wallpaper with its seconds, small in the bar. Only what changed is drawn. */
export class ClockPane {
  readonly #hours: Label;
  readonly #seconds: Label;
  readonly #date: Label;
  readonly #bar: Label;

  constructor(screen: Screen) {
    const { clock, barClock } = screen.layout;
    const large = clock.height >= 140;
    const face = large ? Letters.clock : Letters.clockMedium;
    const hours = {
      x: clock.x + 15,
      y: clock.y + 22,
      width: face.measure('00:00') + 4,
      height: face.capHeight + 10,
    };
    const seconds = {
      x: hours.x + hours.width + 4,
      y: hours.y + hours.height - Letters.clockSmall.capHeight - 11,
      width: Letters.clockSmall.measure('00') + 6,
      height: Letters.clockSmall.capHeight + 12,
    };
    const date = {
      x: clock.x + 24,
      y: clock.y + clock.height - 44,
      width: clock.width - 48,
      height: 30,
    };
    const bar = { ...barClock, width: barClock.width - 20 };
    this.#hours = new Label(screen, hours, face, Colours.onBar);
    this.#seconds = new Label(screen, seconds, Letters.clockSmall, Colours.onBarSoft);
    this.#date = new Label(screen, date, Letters.body, Colours.onBar);
    this.#bar = new Label(screen, bar, Letters.body, Colours.onBar, 'right');
  }

  show(now: Date): void {
    const two = (value: number): string => String(value).padStart(2, '0');
    const time = `${two(now.getHours())}:${two(now.getMinutes())}`;
    const day = DAYS[now.getDay()] ?? '';
    const month = MONTHS[now.getMonth()] ?? '';
    this.#hours.show(time);
    this.#seconds.show(two(now.getSeconds()));
    this.#date.show(`${day}, ${now.getDate()} ${month} ${now.getFullYear()}`);
    this.#bar.show(`${day.slice(0, 3)} ${now.getDate()} ${month.slice(0, 3)}   ${time}`);
  }
}
