/** What only some want to know, folded away. Nothing where there is nothing. */
export function Technical({ text }: { text: string }) {
  if (text === '') return null;
  return (
    <details className="technical">
      <summary>Details</summary>
      <p>{text}</p>
    </details>
  );
}
