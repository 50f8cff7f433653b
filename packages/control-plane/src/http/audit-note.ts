import type { AuditAction } from '@streamspace/api';
import type { Request } from 'express';
import type { NewAuditEntry } from '../domain/timeline.js';
import type { Services } from './services.js';

/** Writes an entry of the audit log, with the address of the client. */
export type Note = (request: Request, entry: NotedEntry) => Promise<void>;

type NotedEntry = Omit<NewAuditEntry, 'action' | 'address'> & { readonly action: AuditAction };

export const noteOf =
  ({ audit, site }: Pick<Services, 'audit' | 'site'>): Note =>
  async (request, entry) => {
    const { address } = site.clientOf(request);
    await audit.append({ ...entry, ...(address !== undefined && { address }) });
  };
