/** A state as a word with a colour; the word alone says it all. */
export function Badge({ state }: { state: string }) {
  return (
    <span className="badge" data-state={state}>
      {state.slice(0, 1).toUpperCase() + state.slice(1)}
    </span>
  );
}
