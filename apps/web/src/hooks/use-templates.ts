import { useCallback } from 'react';
import type { Template } from '@streamspace/client';
import { client } from '../api.js';
import { usePoll, type Poll } from './use-poll.js';

const pauseMs = (templates: Template[] | undefined): number => (templates ? 60_000 : 3_000);

/** What there is to start. */
export function useTemplates(): Poll<Template[]> {
  return usePoll(
    useCallback((signal) => client.templates.list({ signal }), []),
    pauseMs,
  );
}

/** A template's name for people. */
export function displayName(templates: readonly Template[] | undefined, name: string): string {
  return templates?.find((template) => template.name === name)?.display_name || name;
}
