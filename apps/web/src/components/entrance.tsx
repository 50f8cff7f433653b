import type { ReactNode } from 'react';
import { Logo } from './icons.js';

/** The frame of the pages for those who are not in yet. */
export function Entrance({ title, lead, children }: { title: string; lead?: string; children?: ReactNode }) {
  return (
    <main className="entrance">
      <title>{`${title} · StreamSpace`}</title>
      <div className="entrance-card">
        <p className="brand">
          <Logo /> StreamSpace
        </p>
        <h1>{title}</h1>
        {lead && <p className="lead">{lead}</p>}
        {children}
      </div>
    </main>
  );
}
