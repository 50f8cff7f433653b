import type { TemplateSeed } from '@streamspace/control-plane';
import { builtInDesktopTemplate, xDesktopTemplate } from '@streamspace/platform-local';

/** What agents that have X desktops are labelled with. */
export const X_DESKTOPS_LABEL = { 'x-desktops': 'yes' };

/** Only agents that have the label are asked for one. */
const labelledXDesktop = {
  ...xDesktopTemplate,
  spec: { ...xDesktopTemplate.spec, agentSelector: { matchLabels: X_DESKTOPS_LABEL } },
};

/** What there is to choose from on the first day. The first by its name is what a newcomer gets. */
export function templates(offers: { xDesktops: boolean }): TemplateSeed[] {
  return [builtInDesktopTemplate, ...(offers.xDesktops ? [labelledXDesktop] : [])].map((template) => {
    const { metadata, spec } = template;
    return {
      name: metadata.name,
      displayName: spec.displayName,
      description: spec.description,
      appType: spec.appType,
      platform: 'local',
      manifest: template,
    };
  });
}
