import { createServer } from 'node:http';
import { createControlPlane } from '@streamspace/control-plane';
import { pgliteDatabase } from '@streamspace/control-plane/pglite';
import express from 'express';

// Stands for the accounts of the application, whose cookie `person` says who sends a request.
const people = new Map([
  ['1', { username: 'ada', role: 'admin' }],
  ['2', { username: 'bo', role: 'user' }],
] as const);

const controlPlane = await createControlPlane({
  database: await pgliteDatabase({ memory: true }),
  podName: 'my-app',
  jwtSecret: process.env['JWT_SECRET'] ?? 'only-for-trying-this-out-32-chars-or-more',
  publicUrl: process.env['PUBLIC_URL'] ?? 'http://localhost:8081',
  trustProxy: 'loopback',
  authenticate: ({ headers }) => {
    const subject = /\bperson=([12])\b/.exec(headers.cookie ?? '')?.[1] as '1' | '2' | undefined;
    return subject && { issuer: 'my-app', subject, ...people.get(subject)! };
  },
});
const server = createServer(express().use(controlPlane.router)).listen(Number(process.env['PORT'] ?? 8081));
controlPlane.attach(server);
