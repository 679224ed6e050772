import { createHash, createPublicKey, constants, diffieHellman, generateKeyPairSync, createPrivateKey, publicEncrypt, randomBytes, sign, verify, createECDH } from 'node:crypto'; // prettier-ignore
import { describe, expect, it } from 'vitest';
import { ACCOUNT, refusal, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const publicKeyOf = async (KeyId: string) => {
  const { PublicKey } = await me().call('GetPublicKey', { KeyId });
  return createPublicKey({ key: Buffer.from(PublicKey, 'base64'), format: 'der', type: 'spki' });
};

const SIGNING: [spec: string, algorithms: string[]][] = [
  ['RSA_2048', ['RSASSA_PKCS1_V1_5_SHA_256', 'RSASSA_PKCS1_V1_5_SHA_384', 'RSASSA_PKCS1_V1_5_SHA_512', 'RSASSA_PSS_SHA_256', 'RSASSA_PSS_SHA_384', 'RSASSA_PSS_SHA_512']],
  ['RSA_3072', ['RSASSA_PSS_SHA_384']],
  ['RSA_4096', ['RSASSA_PKCS1_V1_5_SHA_512']],
  ['ECC_NIST_P256', ['ECDSA_SHA_256']],
  ['ECC_NIST_P384', ['ECDSA_SHA_384']],
  ['ECC_NIST_P521', ['ECDSA_SHA_512']],
  ['ECC_SECG_P256K1', ['ECDSA_SHA_256']],
]; // prettier-ignore

const rsaPadding = (algorithm: string) =>
  algorithm.includes('PSS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : algorithm.startsWith('RSA')
      ? { padding: constants.RSA_PKCS1_PADDING }
      : {};

describe('signing keys', () => {
  it.each(SIGNING)('%s', { timeout: 300_000 }, async (KeySpec, algorithms) => {
    const { id: KeyId, arn } = await me().newKey({ KeySpec, KeyUsage: 'SIGN_VERIFY' });
    const { KeyMetadata } = await me().call('DescribeKey', { KeyId });
    expect(KeyMetadata).toMatchObject({ KeySpec, KeyUsage: 'SIGN_VERIFY', SigningAlgorithms: expect.arrayContaining(algorithms) }); // prettier-ignore
    expect(KeyMetadata).not.toHaveProperty('CurrentKeyMaterialId');
    const publicKey = await publicKeyOf(KeyId);
    const message = randomBytes(100);
    for (const SigningAlgorithm of algorithms) {
      const hash = `sha${SigningAlgorithm.slice(-3)}`;
      const digest = createHash(hash).update(message).digest();
      for (const [MessageType, bytes] of [
        ['RAW', message],
        ['DIGEST', digest],
      ] as const) {
        const request = { KeyId, SigningAlgorithm, MessageType, Message: base64(bytes) };
        const signed = await me().call('Sign', request);
        expect(signed).toMatchObject({ KeyId: arn, SigningAlgorithm });
        const signature = Buffer.from(signed.Signature, 'base64');
        expect(verify(hash, message, { key: publicKey, ...rsaPadding(SigningAlgorithm) }, signature)).toBe(true);
        const verified = await me().call('Verify', { ...request, Signature: signed.Signature });
        expect(verified).toEqual({ KeyId: arn, SignatureValid: true, SigningAlgorithm });
        signature[signature.length - 1]! ^= 1;
        await expect(me().call('Verify', { ...request, Signature: base64(signature) })).rejects.toEqual(
          refusal('KMSInvalidSignatureException'),
        );
      }
    }
    const uses = await kms().usesOf(KeyId);
    expect(uses).toHaveLength(algorithms.length * 4);
    expect(uses[0]!.data).toMatchObject({ operation: 'Sign', algorithm: algorithms[0], encryptionContext: {} });
  });

  it('ECC_NIST_EDWARDS25519', async () => {
    const { id: KeyId } = await me().newKey({ KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' });
    const message = randomBytes(64);
    const pure = { KeyId, SigningAlgorithm: 'ED25519_SHA_512', Message: base64(message) };
    const { Signature } = await me().call('Sign', pure);
    expect(verify(null, message, await publicKeyOf(KeyId), Buffer.from(Signature, 'base64'))).toBe(true);
    const prehashed = {
      KeyId,
      SigningAlgorithm: 'ED25519_PH_SHA_512',
      MessageType: 'DIGEST',
      Message: base64(message),
    };
    const signed = await me().call('Sign', prehashed);
    expect((await me().call('Verify', { ...prehashed, Signature: signed.Signature })).SignatureValid).toBe(true);
    for (const [input, type] of [
      [{ ...pure, MessageType: 'DIGEST' }, 'DIGEST'],
      [{ ...prehashed, MessageType: 'RAW' }, 'RAW'],
    ] as const) {
      // prettier-ignore
      const message = `MessageType ${type} is not supported for algorithm ${input.SigningAlgorithm}.`;
      await expect(me().call('Sign', input)).rejects.toEqual(refusal('ValidationException', message));
    }
  });

  it.each([
    ['ML_DSA_44', 1334, 2420],
    ['ML_DSA_65', 1974, 3309],
    ['ML_DSA_87', 2614, 4627],
  ] as const)('%s', async (KeySpec, publicKeyBytes, signatureBytes) => {
    const SigningAlgorithm = 'ML_DSA_SHAKE_256';
    const about = { KeySpec, KeyUsage: 'SIGN_VERIFY' };
    const { id: KeyId, arn } = await me().newKey({ ...about, MultiRegion: true });
    const { KeyMetadata } = await me().call('DescribeKey', { KeyId });
    expect(KeyMetadata).toMatchObject({ ...about, CustomerMasterKeySpec: KeySpec, SigningAlgorithms: [SigningAlgorithm] }); // prettier-ignore
    const { PublicKey, ...rest } = await me().call('GetPublicKey', { KeyId });
    expect(rest).toEqual({ KeyId: arn, ...about, CustomerMasterKeySpec: KeySpec, SigningAlgorithms: [SigningAlgorithm] }); // prettier-ignore
    const spki = Buffer.from(PublicKey, 'base64');
    expect(spki).toHaveLength(publicKeyBytes);
    const message = randomBytes(4096);
    // FIPS 204, algorithm 7: µ = H(H(pk) ‖ 0 ‖ length of context ‖ message).
    const shake = (...parts: Uint8Array[]) => parts.reduce((hash, part) => hash.update(part), createHash('shake256', { outputLength: 64 })).digest(); // prettier-ignore
    const mu = shake(shake(spki.subarray(22)), Buffer.from([0, 0]), message);
    const raw = { KeyId, SigningAlgorithm, MessageType: 'RAW', Message: base64(message) };
    const external = { ...raw, MessageType: 'EXTERNAL_MU', Message: base64(mu) };
    const replica = me().as({ region: 'eu-west-1' });
    await me().call('ReplicateKey', { KeyId, ReplicaRegion: 'eu-west-1' });
    for (const [signer, made] of [[me(), raw], [me(), external], [replica, raw]] as const) {
      const { Signature } = await signer.call('Sign', made);
      expect(Buffer.from(Signature, 'base64')).toHaveLength(signatureBytes);
      expect((await signer.call('Sign', made)).Signature).not.toBe(Signature);
      for (const told of [raw, external]) {
        expect(await me().call('Verify', { ...told, Signature })).toEqual({ KeyId: arn, SignatureValid: true, SigningAlgorithm }); // prettier-ignore
      }
      const changed = Buffer.from(Signature, 'base64');
      changed[100]! ^= 1;
      for (const wrong of [
        { ...raw, Message: base64(mu), Signature },
        { ...external, Message: base64(randomBytes(64)), Signature },
        { ...raw, Signature: base64(changed) },
        { ...raw, Signature: base64(changed.subarray(1)) },
      ]) {
        await expect(me().call('Verify', wrong)).rejects.toEqual(refusal('KMSInvalidSignatureException'));
      }
    } // prettier-ignore
    const uses = await kms().usesOf(KeyId);
    expect(uses.map(({ data }) => [data['operation'], data['algorithm']])).toContainEqual(['Sign', SigningAlgorithm]);
  });

  it('take what the owner of the private key signed', async () => {
    const { id: KeyId } = await me().newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const Message = base64(Buffer.from('m'));
    const Signature = base64(sign('sha256', Buffer.from('m'), privateKey));
    await expect(me().call('Verify', { KeyId, Message, Signature, SigningAlgorithm: 'ECDSA_SHA_256' })).rejects.toEqual(
      refusal('KMSInvalidSignatureException'),
    );
  });
});

describe('RSA encryption keys', () => {
  it.each([
    ['RSAES_OAEP_SHA_1', 214],
    ['RSAES_OAEP_SHA_256', 190],
  ] as const)('%s', async (EncryptionAlgorithm, most) => {
    // prettier-ignore
    const { id: KeyId, arn } = await me().newKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
    const Plaintext = randomBytes(most);
    const encrypted = await me().call('Encrypt', { KeyId, EncryptionAlgorithm, Plaintext });
    expect(encrypted).toMatchObject({ KeyId: arn, EncryptionAlgorithm });
    const CiphertextBlob = encrypted.CiphertextBlob as string;
    const decrypted = await me().call('Decrypt', { KeyId, EncryptionAlgorithm, CiphertextBlob });
    expect(decrypted).toEqual({ KeyId: arn, EncryptionAlgorithm, Plaintext });
    const oaepHash = EncryptionAlgorithm.endsWith('256') ? 'sha256' : 'sha1';
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const theirs = base64(publicEncrypt({ key: await publicKeyOf(KeyId), padding, oaepHash }, Plaintext));
    expect((await me().call('Decrypt', { KeyId, EncryptionAlgorithm, CiphertextBlob: theirs })).Plaintext).toEqual(
      Plaintext,
    );
    await expect(
      me().call('Encrypt', { KeyId, EncryptionAlgorithm, Plaintext: randomBytes(most + 1) }),
    ).rejects.toEqual(
      refusal(
        'ValidationException',
        `Algorithm ${EncryptionAlgorithm} and key spec RSA_2048 cannot encrypt data larger than ${String(most)} bytes.`,
      ),
    );
    const broken = Buffer.from(CiphertextBlob, 'base64');
    broken[9]! ^= 1;
    for (const bad of [base64(broken), base64(randomBytes(10))]) {
      await expect(me().call('Decrypt', { KeyId, EncryptionAlgorithm, CiphertextBlob: bad })).rejects.toEqual(refusal('InvalidCiphertextException')); // prettier-ignore
    }
    const { id: symmetric, arn: symmetricArn } = await me().newKey();
    const moved = await me().call('ReEncrypt', { CiphertextBlob, SourceKeyId: KeyId, SourceEncryptionAlgorithm: EncryptionAlgorithm, DestinationKeyId: symmetric }); // prettier-ignore
    expect(moved).toMatchObject({ SourceKeyId: arn, KeyId: symmetricArn, SourceEncryptionAlgorithm: EncryptionAlgorithm, DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }); // prettier-ignore
    expect((await me().call('Decrypt', { CiphertextBlob: moved.CiphertextBlob })).Plaintext).toEqual(Plaintext);
  });
});

describe('HMAC keys', () => {
  it.each([224, 256, 384, 512])('HMAC_%i', async (bits) => {
    const [KeySpec, MacAlgorithm] = [`HMAC_${String(bits)}`, `HMAC_SHA_${String(bits)}`];
    const { id: KeyId, arn } = await me().newKey({ KeySpec, KeyUsage: 'GENERATE_VERIFY_MAC' });
    const request = { KeyId, MacAlgorithm, Message: base64(Buffer.from('message')) };
    const made = await me().call('GenerateMac', request);
    expect(Buffer.from(made.Mac, 'base64')).toHaveLength(bits / 8);
    expect(await me().call('VerifyMac', { ...request, Mac: made.Mac })).toEqual({
      KeyId: arn,
      MacValid: true,
      MacAlgorithm,
    });
    for (const wrong of [
      { Mac: base64(Buffer.from(made.Mac, 'base64').subarray(1)) },
      { Mac: made.Mac, Message: base64(Buffer.from('other')) },
    ]) {
      // prettier-ignore
      await expect(me().call('VerifyMac', { ...request, ...wrong })).rejects.toEqual(refusal('KMSInvalidMacException'));
    }
  });
});

describe('key agreement', () => {
  it.each([
    ['ECC_NIST_P256', 'prime256v1'],
    ['ECC_NIST_P384', 'secp384r1'],
    ['ECC_NIST_P521', 'secp521r1'],
  ] as const)('%s', async (KeySpec, namedCurve) => {
    // prettier-ignore
    const { id: KeyId, arn } = await me().newKey({ KeySpec, KeyUsage: 'KEY_AGREEMENT' });
    const mine = generateKeyPairSync('ec', { namedCurve });
    const PublicKey = base64(mine.publicKey.export({ format: 'der', type: 'spki' }));
    const request = { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey };
    const derived = await me().call('DeriveSharedSecret', request);
    expect(derived).toMatchObject({ KeyId: arn, KeyAgreementAlgorithm: 'ECDH', KeyOrigin: 'AWS_KMS' });
    const publicKey = await publicKeyOf(KeyId);
    expect(derived.SharedSecret).toEqual(diffieHellman({ privateKey: mine.privateKey, publicKey }));
    const off = Buffer.from(PublicKey, 'base64');
    off[off.length - 1]! ^= 1;
    const k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'der', type: 'spki' });
    for (const bad of [off, k1, randomBytes(91)]) {
      await expect(me().call('DeriveSharedSecret', { ...request, PublicKey: base64(bad) })).rejects.toMatchObject({
        code: 'ValidationException',
      });
    }
    expect(await kms().usesOf(KeyId)).toHaveLength(1);
  });
});

describe('data key pairs', () => {
  it.each(['RSA_2048', 'ECC_NIST_P521', 'ECC_SECG_P256K1', 'ECC_NIST_EDWARDS25519'])('%s', async (KeyPairSpec) => {
    const { id: KeyId, arn } = await me().newKey();
    const EncryptionContext = { a: 'b' };
    const made = await me().call('GenerateDataKeyPair', { KeyId, KeyPairSpec, EncryptionContext });
    expect(made).toMatchObject({ KeyId: arn, KeyPairSpec, KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const privateKey = createPrivateKey({ key: made.PrivateKeyPlaintext, format: 'der', type: 'pkcs8' });
    const derived = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    expect(base64(derived)).toBe(made.PublicKey);
    const CiphertextBlob = made.PrivateKeyCiphertextBlob;
    expect((await me().call('Decrypt', { CiphertextBlob, EncryptionContext })).Plaintext).toEqual(
      made.PrivateKeyPlaintext,
    );
    const without = await me().call('GenerateDataKeyPairWithoutPlaintext', { KeyId, KeyPairSpec });
    expect(Object.keys(without).sort()).toEqual(['KeyId', 'KeyMaterialId', 'KeyPairSpec', 'PrivateKeyCiphertextBlob', 'PublicKey']); // prettier-ignore
  });
});

it('random bytes are as many as asked for, and another time others', async () => {
  const [one, two] = [await me().call('GenerateRandom', { NumberOfBytes: 1024 }), await me().call('GenerateRandom', { NumberOfBytes: 1024 })]; // prettier-ignore
  expect(one.Plaintext).toHaveLength(1024);
  expect(one.Plaintext).not.toEqual(two.Plaintext);
});

it('no private key is in any table', async () => {
  const { id: KeyId } = await me().newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
  const pair = await me().call('GenerateDataKeyPair', {
    KeyId: (await me().newKey()).id,
    KeyPairSpec: 'ECC_NIST_P256',
  });
  const jwk = createPrivateKey({ key: pair.PrivateKeyPlaintext, format: 'der', type: 'pkcs8' }).export({
    format: 'jwk',
  });
  const ecdh = createECDH('prime256v1');
  ecdh.generateKeys();
  const { SharedSecret } = await me().call('DeriveSharedSecret', { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: pair.PublicKey }); // prettier-ignore
  const secrets = [Buffer.from(jwk.d!, 'base64url'), SharedSecret as Buffer];
  const { rows: tables } = await kms().sql.query<{ tablename: string }>('SELECT tablename FROM pg_tables WHERE schemaname = current_schema()'); // prettier-ignore
  for (const { tablename } of tables) {
    const { rows } = await kms().sql.query<{ row: string }>(`SELECT t::text AS row FROM ${tablename} t`);
    const text = rows.map(({ row }) => row).join('\n');
    for (const secret of secrets) {
      for (const form of [secret.toString('hex'), secret.subarray(0, 30).toString('base64')]) {
        expect(text.includes(form), tablename).toBe(false);
      }
    }
  }
});
