export interface Migration {
  /** Sorts after all earlier ones. */
  readonly version: string;
  /** Statements without parameters. `schema_migrations` in them stands for whichever table holds the list. */
  readonly sql: string;
}
