import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** An entry beside this file, and what it imports, as one script that leaves its exports in the global `name`. */
export async function bundle(entry: string, name: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@streamspace/source', 'browser', 'import', 'default'] },
    build: {
      write: false,
      target: 'es2022',
      lib: {
        entry: fileURLToPath(new URL(entry, import.meta.url)),
        formats: ['iife'],
        name,
      },
    },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (!output || !('output' in output)) throw new Error('the bundler has watched instead of building');
  return output.output[0].code;
}
