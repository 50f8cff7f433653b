import type { ReactNode } from 'react';
import { told } from '../errors.js';
import { Technical } from './technical.js';

/** Says what went wrong, in a sentence, and what to do. Shows nothing without an error. */
export function Notice({ error, children }: { error: unknown; children?: ReactNode }) {
  if (error === undefined || error === null) return null;
  const { detail, remedy, technical } = told(error);
  return (
    <div className="notice" role="alert">
      <p>
        <strong>{detail}</strong>
        {remedy && <> {remedy}</>}
      </p>
      <Technical text={technical} />
      {children}
    </div>
  );
}
