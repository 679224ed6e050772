import { execFile } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { debianTool } from '../../../../tools/testing/debian-tools.mjs';

const run = promisify(execFile);

/** Makes a certificate authority, and certificates of it in the layout that libnbd and qemu read. */
export class TestAuthority {
  private constructor(readonly folder: string) {}

  static async create(folder: string): Promise<TestAuthority> {
    const authority = new TestAuthority(folder);
    await mkdir(folder, { recursive: true });
    const subject = ['-subj', '/CN=test authority', '-addext', 'basicConstraints=critical,CA:TRUE'];
    await openssl(folder, ['req', '-x509', ...NEW_KEY, '-keyout', 'ca-key.pem', '-out', 'ca-cert.pem', ...subject]);
    return authority;
  }

  get cert(): string {
    return join(this.folder, 'ca-cert.pem');
  }

  /** @returns paths of a certificate and its key, in PEM. */
  async issue(name: string, commonName: string, dnsName?: string): Promise<{ cert: string; key: string }> {
    const [cert, key, request] = [`${name}-cert.pem`, `${name}-key.pem`, `${name}.csr`];
    await openssl(this.folder, ['req', ...NEW_KEY, '-keyout', key, '-out', request, '-subj', `/CN=${commonName}`]);
    const extensions = `${name}.ext`;
    const names = dnsName === undefined ? '' : `subjectAltName=DNS:${dnsName}\n`;
    await writeFile(join(this.folder, extensions), `basicConstraints=CA:FALSE\n${names}`);
    const authority = ['-CA', 'ca-cert.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '2'];
    await openssl(this.folder, ['x509', '-req', '-in', request, '-out', cert, '-extfile', extensions, ...authority]);
    return { cert: join(this.folder, cert), key: join(this.folder, key) };
  }

  /** Where those are listed that are no longer good. */
  get crl(): string {
    return join(this.folder, 'crl.pem');
  }

  /** Writes the list, with one more certificate on it if one is given. */
  async revoke(certificate?: string): Promise<void> {
    const database = '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_crl_days=2\ndefault_md=sha256\n';
    await writeFile(join(this.folder, 'ca.cnf'), database);
    await writeFile(join(this.folder, 'index.txt'), '', { flag: 'a' });
    const ca = ['ca', '-config', 'ca.cnf', '-keyfile', 'ca-key.pem', '-cert', 'ca-cert.pem'];
    if (certificate !== undefined) await openssl(this.folder, [...ca, '-revoke', certificate]);
    await openssl(this.folder, [...ca, '-gencrl', '-out', 'crl.pem']);
  }

  /** A folder as `tls-certificates` takes it; `server` is whose certificates the client believes. */
  async clientFolder(commonName: string, server: TestAuthority = this, dnsName?: string): Promise<string> {
    const folder = join(this.folder, `client-${String(Math.random()).slice(2)}`);
    await mkdir(folder);
    const { cert, key } = await this.issue('client', commonName, dnsName);
    await rename(cert, join(folder, 'client-cert.pem'));
    await rename(key, join(folder, 'client-key.pem'));
    await run('cp', [server.cert, join(folder, 'ca-cert.pem')]);
    return folder;
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

const openssl = async (cwd: string, args: readonly string[]): Promise<void> => {
  const { path, env } = await debianTool('openssl');
  await run(path, args, { cwd, env });
};
