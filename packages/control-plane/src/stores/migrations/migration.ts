export interface Migration {
  /** Sorts after all earlier ones. */
  readonly version: string;
  /** Statements without parameters. */
  readonly sql: string;
}
