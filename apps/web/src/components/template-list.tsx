import type { Template } from '@streamspace/client';
import { viewerPath } from '../base-path.js';
import { useNavigate } from 'react-router';
import { useAction } from '../hooks/use-action.js';
import type { Poll } from '../hooks/use-poll.js';
import { startDesktop } from '../start-desktop.js';
import { DesktopIcon } from './icons.js';
import { Notice } from './notice.js';
import { Spinner } from './spinner.js';

/** What there is to start; choosing one starts it and goes to its viewer. */
export function TemplateList({ templates }: { templates: Poll<Template[]> }) {
  const action = useAction();
  const navigate = useNavigate();
  const start = (template: string): void =>
    action.run(async (signal) => {
      const session = await startDesktop(template, signal);
      await navigate(viewerPath(session));
    });
  return (
    <>
      {!templates.data && !templates.error && (
        <p className="quiet">
          <Spinner /> Loading templates…
        </p>
      )}
      {templates.data?.length === 0 && (
        <p className="quiet">There are no templates. An admin has to add one.</p>
      )}
      <ul className="templates" aria-label="Templates">
        {templates.data?.map((template) => (
          <li key={template.name}>
            <button
              type="button"
              className="template"
              disabled={action.busy}
              onClick={() => start(template.name)}
            >
              <span className="template-icon">
                <DesktopIcon />
              </span>
              <span>
                <span className="template-name">{template.display_name || template.name}</span>
                <span className="template-description">{template.description}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {/* Below the list: above, it would push another template under the pointer. */}
      <Notice error={action.error ?? templates.error} />
    </>
  );
}
