import type { TemplateSeed } from '@streamspace/control-plane';
import { builtInDesktopTemplate } from '@streamspace/platform-local';

const { metadata, spec } = builtInDesktopTemplate;

/** What there is to choose from on the first day. */
export const templates: readonly TemplateSeed[] = [
  {
    name: metadata.name,
    displayName: spec.displayName,
    description: spec.description,
    appType: spec.appType,
    platform: 'local',
    manifest: builtInDesktopTemplate,
  },
];
