/** The base image of the desktop that comes with this platform. */
export const BUILT_IN_IMAGE = 'builtin:desktop';

/** A StreamSpace Template of the built-in desktop, to put into a catalogue. */
export const builtInDesktopTemplate = {
  apiVersion: 'stream.space/v1alpha1',
  kind: 'Template',
  metadata: { name: 'built-in-desktop' },
  spec: {
    displayName: 'Built-in desktop',
    description:
      'A small desktop that needs nothing installed: a clock, notes and a paint pad. Both are kept.',
    category: 'Desktop',
    appType: 'desktop',
    baseImage: BUILT_IN_IMAGE,
    ports: [{ name: 'vnc', containerPort: 5900, protocol: 'TCP' }],
    vnc: { enabled: true, port: 5900 },
  },
} as const;

/** The image that a template's manifest asks for, where it names one. */
export function baseImageOf(manifest: Readonly<Record<string, unknown>>): unknown {
  const { spec } = manifest;
  return typeof spec === 'object' && spec !== null && 'baseImage' in spec ? spec.baseImage : undefined;
}
