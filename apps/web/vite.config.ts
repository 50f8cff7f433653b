import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';

/** Where `vite` (development) passes API calls on to. */
const CONTROL_PLANE = 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  // The server says under which path it is served, by the page's <base>.
  base: './',
  resolve: { conditions: ['@streamspace/source', ...defaultClientConditions] },
  build: {
    // noVNC awaits at its top level.
    target: 'es2022',
    // Everything is a file of this origin: the pages are served with `default-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { '/api': { target: CONTROL_PLANE, ws: true } },
  },
});
