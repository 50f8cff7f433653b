/** @param beats the watched thread increments the first element */
export function endFrozen(beats: Int32Array, effects: { write(): void; kill(): void }): void;
