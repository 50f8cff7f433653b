import { startX11vnc, startXtigervnc } from './real-vnc-servers.js';
import { connectTcp } from '@streamspace/vnc-tunnel/node';
import { connectRfb } from '@streamspace/rfb';
for (const start of [startXtigervnc, startX11vnc]) {
  const t = performance.now();
  const d = await start();
  console.log('ZZ ready', performance.now() - t);
  const c = await connectRfb(await connectTcp({ host: '127.0.0.1', port: d.port }));
  await c.request(false);
  for (let i = 0; i < 12; i++) {
    await Promise.race([c.nextUpdate(), new Promise((r) => setTimeout(r, 1500))]);
    await c.request(true);
    const m = new Map<number, number>();
    for (const p of c.framebuffer.pixels) m.set(p, (m.get(p) ?? 0) + 1);
    console.log(
      'ZZ',
      (performance.now() - t).toFixed(),
      d.port,
      [...m]
        .sort((a, b) => b[1] - a[1])
        .slice(0, 3)
        .map(([p, n]) => p.toString(16) + ':' + n)
        .join(' '),
    );
  }
  await d[Symbol.asyncDispose]();
}
process.exit();
