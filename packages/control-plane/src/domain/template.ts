/** What sessions are made from. */
export interface Template {
  /** A DNS label; unique. */
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  /** What kind of application it is, for example `desktop` or `web`. */
  readonly appType: string;
  /** The only platform that can run it; `null` where any can. */
  readonly platform: string | null;
  /** A StreamSpace Template as JSON (`{metadata, spec}`); handed to the platform as it is. */
  readonly manifest: Readonly<Record<string, unknown>>;
}

/** A template as one writes it in `createControlPlane({ templates })`. */
export interface TemplateSeed {
  readonly name: string;
  /** @default name */
  readonly displayName?: string;
  /** @default '' */
  readonly description?: string;
  /** @default 'desktop' */
  readonly appType?: string;
  /** @default any platform */
  readonly platform?: string;
  /** @default {metadata: {name}, spec: {}} */
  readonly manifest?: Readonly<Record<string, unknown>>;
}
