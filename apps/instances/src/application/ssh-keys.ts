import { createHash, createPublicKey, generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyType } from '../domain/key-pair.events.ts';

/** A public key as key pairs keep it. */
export interface SshPublicKey {
  keyType: KeyType;
  /** Type and base64, as OpenSSH writes it. */
  publicKey: string;
  fingerprint: string;
}

export interface NewSshKey extends SshPublicKey {
  /** Whoever has it logs in: PKCS #1 for RSA, OpenSSH's own format for ED25519, both unencrypted. */
  privateKeyPem: string;
}

/** Bits of the keys that EC2 makes. @see CreateKeyPair, "KeyType" */
const NEW_RSA_BITS = 2048;
/** Bits that may be imported. @see ImportKeyPair */
const RSA_BITS: readonly number[] = [1024, 2048, 4096];
/** Of anything imported: far above what 4096 bits take in any of the formats. */
const MAX_MATERIAL_BYTES = 16_384;
const ED25519_BYTES = 32;
const OPENSSH_LINE = 70;
/** Private sections are padded to the block size of their cipher, which is 8 for `none`. @see openssh, PROTOCOL.key */
const OPENSSH_BLOCK = 8;

const colons = (digest: Buffer): string => digest.toString('hex').replaceAll(/(..)(?!$)/g, '$1:');

const field = (bytes: Buffer | string): Buffer => {
  const content = Buffer.from(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
};

/** RFC 4251's mpint of a number that is not negative. */
const mpint = (bytes: Buffer): Buffer =>
  field((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);

const jwkBytes = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : '', 'base64url');

/** The key as SSH sends it. @see RFC 4253 §6.6, RFC 8709 */
const wireOf = (key: KeyObject): { keyType: KeyType; wire: Buffer } => {
  const { kty, n, e, x } = key.export({ format: 'jwk' });
  if (kty === 'RSA')
    return { keyType: 'rsa', wire: Buffer.concat([field('ssh-rsa'), mpint(jwkBytes(e)), mpint(jwkBytes(n))]) };
  return { keyType: 'ed25519', wire: Buffer.concat([field('ssh-ed25519'), field(jwkBytes(x))]) };
};

const opensshText = (keyType: KeyType, wire: Buffer): string => `ssh-${keyType} ${wire.toString('base64')}`;

/** With its padding and without the `SHA256:` that OpenSSH puts before it. @see KeyPairInfo, "KeyFingerprint" */
const ed25519Fingerprint = (wire: Buffer): string => createHash('sha256').update(wire).digest('base64');

/**
 * The fingerprint of a key that EC2 made is the private key's, for RSA. `ssh-keygen` tells neither this nor the other.
 * @see EC2 user guide, "Verify the fingerprint of your key pair"
 */
const createdFingerprint = (keyType: KeyType, wire: Buffer, privateKey: KeyObject): string => {
  if (keyType === 'ed25519') return ed25519Fingerprint(wire);
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const digest = createHash('sha1').update(der).digest();
  der.fill(0);
  return colons(digest);
};

const importedFingerprint = (keyType: KeyType, wire: Buffer, key: KeyObject): string =>
  keyType === 'ed25519'
    ? ed25519Fingerprint(wire)
    : colons(
        createHash('md5')
          .update(key.export({ type: 'spki', format: 'der' }))
          .digest(),
      );

/** @see openssh, PROTOCOL.key */
const opensshPrivateKey = (wire: Buffer, privateKey: KeyObject): string => {
  const { d, x } = privateKey.export({ format: 'jwk' });
  const check = randomBytes(4);
  const keys = [field('ssh-ed25519'), field(jwkBytes(x)), field(Buffer.concat([jwkBytes(d), jwkBytes(x)])), field('')];
  const section = Buffer.concat([check, check, ...keys]);
  const padding = Buffer.from(
    Array.from({ length: (OPENSSH_BLOCK - (section.length % OPENSSH_BLOCK)) % OPENSSH_BLOCK }, (_, i) => i + 1),
  );
  const one = Buffer.from([0, 0, 0, 1]);
  const head = [Buffer.from('openssh-key-v1\0'), field('none'), field('none'), field(''), one, field(wire)];
  const body = Buffer.concat([...head, field(Buffer.concat([section, padding]))]).toString('base64');
  const lines = body.match(new RegExp(`.{1,${String(OPENSSH_LINE)}}`, 'g')) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n');
};

const generate = promisify(generateKeyPair);

/** A key that nobody has had before. */
export const newSshKey = async (keyType: KeyType): Promise<NewSshKey> => {
  const { publicKey: key, privateKey } = await (keyType === 'rsa'
    ? generate('rsa', { modulusLength: NEW_RSA_BITS })
    : generate('ed25519'));
  const { wire } = wireOf(key);
  const privateKeyPem =
    keyType === 'rsa'
      ? privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
      : opensshPrivateKey(wire, privateKey);
  const fingerprint = createdFingerprint(keyType, wire, privateKey);
  return { keyType, publicKey: opensshText(keyType, wire), fingerprint, privateKeyPem };
};

/** Fields of a public key on the wire; null when a length reaches beyond it. */
const fieldsOf = (wire: Buffer): Buffer[] | null => {
  const fields: Buffer[] = [];
  let offset = 0;
  while (offset < wire.length) {
    if (offset + 4 > wire.length) return null;
    const end = offset + 4 + wire.readUInt32BE(offset);
    if (end > wire.length) return null;
    fields.push(wire.subarray(offset + 4, end));
    offset = end;
  }
  return fields;
};

const keyOfWire = (wire: Buffer): KeyObject | null => {
  const [type, first, second, ...rest] = fieldsOf(wire) ?? [];
  if (type === undefined || first === undefined || rest.length > 0) return null;
  const name = type.toString('latin1');
  if (name === 'ssh-ed25519' && second === undefined && first.length === ED25519_BYTES)
    return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: first.toString('base64url') } });
  if (name !== 'ssh-rsa' || second === undefined) return null;
  const key = { kty: 'RSA', e: first.toString('base64url'), n: second.toString('base64url') };
  return createPublicKey({ format: 'jwk', key });
};

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const decoded = (text: string): Buffer | null => (BASE64.test(text) ? Buffer.from(text, 'base64') : null);

/** RFC 4716: headers, which a `\` continues on the next line, and base64 between two marks. */
const RFC_4716 = /^---- BEGIN SSH2 PUBLIC KEY ----\r?\n([\s\S]*?)\r?\n---- END SSH2 PUBLIC KEY ----$/;
const PEM = /^-----BEGIN PUBLIC KEY-----([\s\S]*)-----END PUBLIC KEY-----$/;

const withoutHeaders = (body: string): string => {
  const lines = body.replaceAll(/\\\r?\n/g, '').split(/\r?\n/);
  return lines.filter((line) => !line.includes(':')).join('');
};

const keyOfDer = (der: Buffer): KeyObject => createPublicKey({ key: der, format: 'der', type: 'spki' });

const readKey = (text: string): KeyObject | null => {
  const openssh = /^ssh-(?:rsa|ed25519)[ \t]+(\S+)(?:[ \t].*)?$/.exec(text);
  const inSsh = openssh?.[1] ?? (RFC_4716.exec(text) === null ? null : withoutHeaders(RFC_4716.exec(text)?.[1] ?? ''));
  if (inSsh !== null) {
    const wire = decoded(inSsh);
    return wire && keyOfWire(wire);
  }
  const der = decoded((PEM.exec(text)?.[1] ?? text).replaceAll(/\s/g, ''));
  return der && keyOfDer(der);
};

/**
 * A public key in one of the formats that EC2 imports: OpenSSH's, RFC 4716's, and base64 of DER.
 * @returns null for anything else, also for a size that EC2 does not take.
 */
export const importedSshKey = (material: Buffer): SshPublicKey | null => {
  if (material.length > MAX_MATERIAL_BYTES) return null;
  let key: KeyObject | null;
  try {
    key = readKey(material.toString('utf8').trim());
  } catch {
    return null; // What OpenSSL can't read is no key.
  }
  if (key === null || (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ed25519')) return null;
  if (key.asymmetricKeyType === 'rsa' && !RSA_BITS.includes(key.asymmetricKeyDetails?.modulusLength ?? 0)) return null;
  const { keyType, wire } = wireOf(key);
  return { keyType, publicKey: opensshText(keyType, wire), fingerprint: importedFingerprint(keyType, wire, key) };
};
