import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createControlPlane, type Database } from '@streamspace/control-plane';
import express from 'express';
import { quantile } from '../tunnel/table.js';

export interface HttpRate {
  readonly producers: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** How long `POST /api/v1/sessions` takes until it is answered with 201: login, placement, session and command. */
export async function httpRates(
  database: Database,
  { producers, seconds }: { producers: readonly number[]; seconds: number },
): Promise<HttpRate[]> {
  const controlPlane = await createControlPlane({
    database,
    podName: 'bench',
    jwtSecret: 'a secret for benchmarks that is long enough',
    templates: [{ name: 'desk', displayName: 'Desk', description: 'A desk' }],
  });
  const server = createServer(express().use(controlPlane.router));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`;
  const post = async (path: string, body: unknown, token?: string): Promise<Record<string, unknown>> => {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
  try {
    const setup = { token: await controlPlane.setup.issueLink(), username: 'ann', password: 'correct horse' };
    const token = String((await post('/setup', setup))['token']);
    const rates: HttpRate[] = [];
    for (const count of producers)
      rates.push(await closedLoop(count, seconds, () => post('/sessions', { template: 'desk' }, token)));
    return rates;
  } finally {
    await controlPlane[Symbol.asyncDispose]();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function closedLoop(
  producers: number,
  seconds: number,
  create: () => Promise<unknown>,
): Promise<HttpRate> {
  const latencies: number[] = [];
  const start = performance.now();
  const produce = async (): Promise<void> => {
    while (performance.now() - start < seconds * 1000) {
      const asked = performance.now();
      await create();
      latencies.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: producers }, produce));
  return {
    producers,
    perSecond: latencies.length / ((performance.now() - start) / 1000),
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}
