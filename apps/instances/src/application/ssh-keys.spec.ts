import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { importedSshKey, newSshKey } from './ssh-keys.ts';

// Keys of ssh-keygen (OpenSSH 9), and their fingerprints by `openssl md5 -c` and `ssh-keygen -l`.
const RSA_BASE64 =
  'AAAAB3NzaC1yc2EAAAADAQABAAAAgQDAq5dU+nnn4PVfGfmhPvuadJrpNOcZkONlb0JUOJmxghb9NQyfbUDWLq5wMU2iH9Z/qxqpMwymrkjNN5vHPi222Jb4g89pYvaMnFNhaj5NwbhcCAGUFoEZHtP9gfWA7lAxipehRYvXOgSvWP8yF5TizwiXzsc5X888aoz6rMrPsw==';
const RSA_4716 = `---- BEGIN SSH2 PUBLIC KEY ----
Comment: "1024-bit RSA, \\
converted from OpenSSH"
AAAAB3NzaC1yc2EAAAADAQABAAAAgQDAq5dU+nnn4PVfGfmhPvuadJrpNOcZkONlb0JUOJ
mxghb9NQyfbUDWLq5wMU2iH9Z/qxqpMwymrkjNN5vHPi222Jb4g89pYvaMnFNhaj5Nwbhc
CAGUFoEZHtP9gfWA7lAxipehRYvXOgSvWP8yF5TizwiXzsc5X888aoz6rMrPsw==
---- END SSH2 PUBLIC KEY ----`;
const RSA_DER = `MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDAq5dU+nnn4PVfGfmhPvuadJrp
NOcZkONlb0JUOJmxghb9NQyfbUDWLq5wMU2iH9Z/qxqpMwymrkjNN5vHPi222Jb4
g89pYvaMnFNhaj5NwbhcCAGUFoEZHtP9gfWA7lAxipehRYvXOgSvWP8yF5TizwiX
zsc5X888aoz6rMrPswIDAQAB`;
const RSA_FINGERPRINT = '1c:e1:e3:c9:7d:af:06:d7:5e:42:4c:be:ae:02:7d:6a';
const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFIEBSqtPxNimqZYFSdh+H/SNTOBPZ+tcRDo6B+SWO6n';
const ED25519_FINGERPRINT = 'dQV6Dh1y2rpZ93mj1SpXEWpMqApwUvDvhjjpK82TXJ8=';

const read = (text: string) => importedSshKey(Buffer.from(text));
const wireOf = (publicKey: string) => Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');

describe('an imported key', () => {
  it.each([
    ['of OpenSSH', `ssh-rsa ${RSA_BASE64} ada@example.com\n`],
    ['of OpenSSH without a comment', `ssh-rsa ${RSA_BASE64}`],
    ['of RFC 4716', RSA_4716],
    ['in DER as base64', RSA_DER],
    ['in PEM', `-----BEGIN PUBLIC KEY-----\n${RSA_DER}\n-----END PUBLIC KEY-----\n`],
  ])('may be %s', (_, text) => {
    expect(read(text)).toEqual({
      ...{ keyType: 'rsa', publicKey: `ssh-rsa ${RSA_BASE64}`, fingerprint: RSA_FINGERPRINT },
    });
  });

  it('may be one of ED25519', () => {
    expect(read(`${ED25519} ada`)).toEqual({
      ...{ keyType: 'ed25519', publicKey: ED25519, fingerprint: ED25519_FINGERPRINT },
    });
  });

  it('is refused when it is cut anywhere, or followed by anything', () => {
    for (const wire of [Buffer.from(RSA_BASE64, 'base64'), wireOf(ED25519)]) {
      const type = wire.subarray(4, 11).toString() === 'ssh-rsa' ? 'ssh-rsa' : 'ssh-ed25519';
      for (let length = 0; length < wire.length; length++)
        expect([length, read(`${type} ${wire.subarray(0, length).toString('base64')}`)]).toEqual([length, null]);
      expect(read(`${type} ${Buffer.concat([wire, Buffer.from([0])]).toString('base64')}`)).toBeNull();
    }
  });

  it.each([
    ['empty', ''],
    ['of another kind', 'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA=='],
    [
      'a private key',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----',
    ],
    ['far too long', `ssh-rsa ${'A'.repeat(20_000)}`],
    ['no base64', 'ssh-rsa !!!!'],
  ])('is refused when it is %s', (_, text) => {
    expect(read(text)).toBeNull();
  });

  it('is refused in sizes that EC2 does not take', () => {
    const der = Buffer.from(RSA_DER, 'base64');
    const { n = '' } = createPublicKey({ key: der, format: 'der', type: 'spki' }).export({ format: 'jwk' });
    const short = Buffer.from(n, 'base64url').subarray(0, 96);
    const key = createPublicKey({ format: 'jwk', key: { kty: 'RSA', e: 'AQAB', n: short.toString('base64url') } });
    expect(read(key.export({ type: 'spki', format: 'der' }).toString('base64'))).toBeNull();
  });
});

describe('a new key', () => {
  it('of RSA has 2048 bits, and the fingerprint of its private key', async () => {
    const { privateKeyPem, publicKey, fingerprint, keyType } = await newSshKey('rsa');
    expect([keyType, privateKeyPem.split('\n')[0]]).toEqual(['rsa', '-----BEGIN RSA PRIVATE KEY-----']);
    const privateKey = createPrivateKey(privateKeyPem);
    expect(privateKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    const digest = createHash('sha1')
      .update(privateKey.export({ type: 'pkcs8', format: 'der' }))
      .digest('hex');
    expect(fingerprint.replaceAll(':', '')).toBe(digest);
    expect(fingerprint).toMatch(/^(?:[0-9a-f]{2}:){19}[0-9a-f]{2}$/);
    const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
    expect(read(publicKey)).toEqual(read(spki.toString('base64')));
  });

  it('of ED25519 comes as OpenSSH keeps it', async () => {
    const { privateKeyPem, publicKey, fingerprint } = await newSshKey('ed25519');
    const [first, ...lines] = privateKeyPem.trimEnd().split('\n');
    expect([first, lines.pop()]).toEqual(['-----BEGIN OPENSSH PRIVATE KEY-----', '-----END OPENSSH PRIVATE KEY-----']);
    const bytes = Buffer.from(lines.join(''), 'base64');
    const wire = wireOf(publicKey);
    expect(fingerprint).toBe(createHash('sha256').update(wire).digest('base64'));
    expect(bytes.subarray(0, 15).toString('latin1')).toBe('openssh-key-v1\0');
    const section = bytes.subarray(bytes.indexOf(wire) + wire.length + 4);
    expect([section.length % 8, section.readUInt32BE(0)]).toEqual([0, section.readUInt32BE(4)]);
    // Its public key again, then the seed and the public key as one.
    expect(section.subarray(8, 8 + wire.length)).toEqual(wire);
    const seed = section.subarray(8 + wire.length + 4).subarray(0, 32);
    const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    const x = wire.subarray(-32).toString('base64url');
    const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
    expect(verify(null, Buffer.from('m'), key, sign(null, Buffer.from('m'), privateKey))).toBe(true);
  });
});
