const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];
const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** How long ago something was; the exact time on hover. */
export function Since({ time }: { time: string }) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return null;
  return (
    <time dateTime={time} title={at.toLocaleString()}>
      {ago((Date.now() - at.getTime()) / 1000)}
    </time>
  );
}

function ago(seconds: number): string {
  for (const [unit, length] of UNITS) {
    if (seconds >= length) return words.format(-Math.floor(seconds / length), unit);
  }
  return 'just now';
}
