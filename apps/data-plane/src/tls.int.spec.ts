import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';
import { TestAuthority } from './testing/certificates.ts';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';

const GIB = 1_073_741_824;
const run = promisify(execFile);
let bundle: string;
let host: TestHost;
let folder: string;
let authority: TestAuthority;
let port: number;
/** Paths of the server's. */
let cert: string;
let key: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hf-tls-'));
  authority = await TestAuthority.create(join(folder, 'ca'));
  ({ cert, key } = await authority.issue('server', 'localhost', 'localhost'));
  await authority.revoke();
  bundle = await buildDataPlane();
  host = new TestHost(bundle, {
    HOLDFAST_NBD_TLS_LISTEN: '127.0.0.1:0',
    HOLDFAST_NBD_TLS_CERT_FILE: cert,
    HOLDFAST_NBD_TLS_KEY_FILE: key,
    HOLDFAST_NBD_TLS_CLIENT_CA_FILE: authority.cert,
    HOLDFAST_NBD_TLS_CLIENT_CRL_FILE: authority.crl,
  });
  await host.start();
  const found = () => /"port":(\d+)[^\n]*volumes are served over TLS/.exec(host.log);
  await until('it is served over TLS', () => found() !== null);
  port = Number(found()?.[1]);
});
afterAll(async () => {
  await host.stop();
  removeBundle(bundle);
  rmSync(folder, { recursive: true, force: true });
});

const tool = async (program: string, ...args: string[]): Promise<string> => {
  const { path, env } = await debianTool(program);
  return (await run(path, args, { env, cwd: folder, timeout: 120_000 })).stdout;
};
const uriOf = (volumeId: string, certificates: string) =>
  `nbds://localhost:${String(port)}/${volumeId}?tls-certificates=${certificates}`;
const sizeAt = async (uri: string) => Number((await tool('nbdinfo', '--size', uri)).trim());

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const option = (code: number, data: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([Buffer.from('IHAVEOPT'), uint32(code), uint32(data.length), data]);

/** A connection on which a volume is served, and on which nothing happens. */
const served = async (volumeId: string, certificates: string): Promise<TLSSocket> => {
  const clear = connect(port, '127.0.0.1');
  await once(clear, 'data');
  clear.write(Buffer.concat([Buffer.from([0, 0, 0, 3]), option(5)])); // NBD_OPT_STARTTLS
  await once(clear, 'data');
  const [ca, certificate, secret] = await Promise.all(
    ['ca-cert.pem', 'client-cert.pem', 'client-key.pem'].map((name) => readFile(join(certificates, name))),
  );
  const secure = tlsConnect({ socket: clear, servername: 'localhost', ca, cert: certificate, key: secret });
  secure.on('error', () => undefined).resume();
  await once(secure, 'secureConnect');
  secure.write(option(7, Buffer.concat([uint32(volumeId.length), Buffer.from(volumeId), Buffer.alloc(2)]))); // NBD_OPT_GO
  await once(secure, 'data');
  return secure;
};

describe('a volume over TLS', () => {
  it('is read and written by whom a certificate for its instance is', async () => {
    const { volumeId, instanceId, socketPath } = await host.attached({ key: 'a' });
    const uri = uriOf(volumeId, await authority.clientFolder(instanceId));
    const { exports } = JSON.parse(await tool('nbdinfo', '--json', uri)) as { exports: object[] };
    expect(exports[0]).toMatchObject({
      'export-size': GIB,
      contexts: ['base:allocation'],
      can_multi_conn: true,
      is_read_only: false,
    });
    const content = randomBytes(3_000_000);
    const file = join(folder, 'content');
    writeFileSync(file, content);
    await tool('nbdcopy', '--connections=2', '--flush', file, uri);
    const client = await NbdClient.connect(socketPath);
    expect((await client.read(0, content.length)).equals(content)).toBe(true);
    await client.close();
    expect(await tool('qemu-img', 'info', `nbd+unix:///?socket=${socketPath}`)).toContain('1 GiB');
  });

  it('is served for a certificate of the volume, and not for one of another instance', async () => {
    const { volumeId, instanceId } = await host.attached({ key: 'a' });
    const other = await host.attached();
    expect(await sizeAt(uriOf(volumeId, await authority.clientFolder('guest', authority, volumeId)))).toBe(GIB);
    const otherFolder = await authority.clientFolder(other.instanceId);
    expect(await sizeAt(uriOf(other.volumeId, otherFolder))).toBe(GIB);
    await expect(sizeAt(uriOf(volumeId, otherFolder))).rejects.toThrow(/unknown|export/i);
    const own = await authority.clientFolder(instanceId);
    expect(await sizeAt(uriOf(volumeId, own))).toBe(GIB);
    await host.call('CloseExport', { volumeId, instanceId });
    await expect(sizeAt(uriOf(volumeId, own))).rejects.toThrow(/unknown|export/i);
  });

  it('is not served in clear, without a certificate, or for one of somebody else', async () => {
    const { volumeId, instanceId } = await host.attached();
    await expect(sizeAt(`nbd://localhost:${String(port)}/${volumeId}`)).rejects.toThrow();
    const bare = join(folder, 'bare');
    await mkdir(bare);
    await copyFile(authority.cert, join(bare, 'ca-cert.pem'));
    await expect(sizeAt(uriOf(volumeId, bare))).rejects.toThrow();
    const stranger = await TestAuthority.create(join(folder, 'stranger'));
    await expect(sizeAt(uriOf(volumeId, await stranger.clientFolder(instanceId, authority)))).rejects.toThrow();
    expect(await sizeAt(uriOf(volumeId, await authority.clientFolder(instanceId)))).toBe(GIB);
  });

  it('is not served for a certificate that was revoked, from the moment that the list says so', async () => {
    const { volumeId, instanceId } = await host.attached();
    const [revoked, other] = [await authority.clientFolder(instanceId), await authority.clientFolder(instanceId)];
    const [ending, staying] = [await served(volumeId, revoked), await served(volumeId, other)];
    await authority.revoke(join(revoked, 'client-cert.pem'));
    await expect(sizeAt(uriOf(volumeId, revoked))).rejects.toThrow();
    expect(await sizeAt(uriOf(volumeId, other))).toBe(GIB);
    await until('who was connected is not any more', () => ending.closed);
    expect(staying.closed).toBe(false);
    staying.destroy();
  });

  it('is served under a new certificate as soon as its files are there, and under the old one until both are', async () => {
    const { volumeId, instanceId } = await host.attached();
    const next = await TestAuthority.create(join(folder, 'next'));
    const renewed = await next.issue('server', 'localhost', 'localhost');
    const before = { cert: await readFile(cert), key: await readFile(key) };
    const [trustsOld, trustsNew] = [
      await authority.clientFolder(instanceId),
      await authority.clientFolder(instanceId, next),
    ];
    try {
      await copyFile(renewed.cert, cert);
      expect(await sizeAt(uriOf(volumeId, trustsOld))).toBe(GIB);
      await copyFile(renewed.key, key);
      expect(await sizeAt(uriOf(volumeId, trustsNew))).toBe(GIB);
      await expect(sizeAt(uriOf(volumeId, trustsOld))).rejects.toThrow();
      await until('it was told', () => host.log.includes('the certificates from before stay in use'));
    } finally {
      await Promise.all([writeFile(cert, before.cert), writeFile(key, before.key)]);
    }
    expect(await sizeAt(uriOf(volumeId, trustsOld))).toBe(GIB);
  });

  it('goes on for others when somebody sends whatever he likes', async () => {
    const { volumeId, instanceId } = await host.attached();
    const uri = uriOf(volumeId, await authority.clientFolder(instanceId));
    const begin = Buffer.concat([Buffer.from([0, 0, 0, 3]), Buffer.from('IHAVEOPT\0\0\0\x05\0\0\0\0', 'latin1')]);
    const hostile = [...Array.from({ length: 20 }, () => randomBytes(3_000)), begin, Buffer.concat([begin, begin])];
    const ended = hostile.map(
      (bytes) =>
        new Promise<void>((resolve) => {
          const socket = connect(port, '127.0.0.1', () => {
            socket.write(bytes);
            setTimeout(() => socket.write(randomBytes(2_000)), 50);
          });
          socket.resume().on('error', () => undefined);
          socket.on('close', () => resolve());
        }),
    );
    expect(await sizeAt(uri)).toBe(GIB);
    await Promise.all(ended);
    expect(await sizeAt(uri)).toBe(GIB);
    // More than there is room for, and not one of them says anything.
    const silent = Array.from({ length: 300 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    const greeted = silent.map((socket) => Promise.race([once(socket, 'data'), once(socket, 'close')]));
    await Promise.all(greeted);
    expect(await sizeAt(uri)).toBe(GIB);
    for (const socket of silent) socket.destroy();
  });
});
