import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

/** A server's certificate of an authority that was made for one test. */
export interface Certificate extends AsyncDisposable {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Certificate and key in one file. */
  readonly bothFile: string;
  /** The authority's certificate, PEM: what clients trust. */
  readonly authority: string;
  /** SHA-256 of the server's public key in base64, as Chromium's `--ignore-certificate-errors-spki-list` takes it. */
  readonly publicKeyHash: string;
}

/** Makes an authority and a certificate for a host name, by openssl, in a temporary folder. */
export async function makeCertificate(openssl: string, hostname: string): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'streamspace-certificate-'));
  const file = (name: string): string => join(folder, name);
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const make = (name: string, ...more: string[]) =>
      run(openssl, [
        'req',
        '-x509',
        ...KEY,
        '-keyout',
        file(`${name}.key`),
        '-out',
        file(`${name}.pem`),
        ...more,
      ]);
    await make('authority', '-subj', '/CN=StreamSpace test authority');
    await make(
      'server',
      ...['-CA', file('authority.pem'), '-CAkey', file('authority.key'), '-subj', `/CN=${hostname}`],
      ...['-addext', `subjectAltName=DNS:${hostname}`, '-addext', 'basicConstraints=critical,CA:FALSE'],
    );
    const certificate = await readFile(file('server.pem'), 'utf8');
    await writeFile(file('both.pem'), certificate + (await readFile(file('server.key'), 'utf8')), {
      mode: 0o600,
    });
    const publicKey = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
    return {
      certificateFile: file('server.pem'),
      keyFile: file('server.key'),
      bothFile: file('both.pem'),
      authority: await readFile(file('authority.pem'), 'utf8'),
      publicKeyHash: createHash('sha256').update(publicKey).digest('base64'),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
