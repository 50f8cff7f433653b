import type { TemplateStore } from '../domain/ports.js';
import type { Template } from '../domain/template.js';
import type { Database, Row } from './database.js';
import { toJsonText } from './storable.js';

interface TemplateRow extends Row {
  name: string;
  display_name: string;
  description: string;
  app_type: string;
  platform: string | null;
  manifest: Record<string, unknown>;
}

const toTemplate = (row: TemplateRow): Template => ({
  name: row.name,
  displayName: row.display_name,
  description: row.description,
  appType: row.app_type,
  platform: row.platform,
  manifest: row.manifest,
});

const COLUMNS = 'name, display_name, description, app_type, platform, manifest';

export function sqlTemplateStore(database: Database): TemplateStore {
  return {
    async put(templates) {
      // In one order everywhere, so that two replicas that start at once do not wait for each other.
      const sorted = [...templates].sort((a, b) => (a.name < b.name ? -1 : 1));
      await database.transaction(async (tx) => {
        for (const template of sorted)
          await tx.query(
            `insert into templates (${COLUMNS}) values ($1, $2, $3, $4, $5, $6::jsonb)
             on conflict (name) do update
               set display_name = excluded.display_name, description = excluded.description,
                   app_type = excluded.app_type, platform = excluded.platform, manifest = excluded.manifest,
                   updated_at = now()`,
            [
              template.name,
              template.displayName,
              template.description,
              template.appType,
              template.platform,
              toJsonText(template.manifest),
            ],
          );
      });
    },

    async list() {
      const { rows } = await database.query<TemplateRow>(`select ${COLUMNS} from templates order by name`);
      return rows.map(toTemplate);
    },

    async find(name) {
      const { rows } = await database.query<TemplateRow>(`select ${COLUMNS} from templates where name = $1`, [
        name,
      ]);
      return rows[0] && toTemplate(rows[0]);
    },
  };
}
