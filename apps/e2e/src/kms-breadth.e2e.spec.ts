import {
  constants,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  verify,
} from 'node:crypto';
import * as sdk from '@aws-sdk/client-kms';
import { beforeAll, describe, expect, it } from 'vitest';
import { newAccountId } from './account.ts';
import { clientsFor } from './clients.ts';
import { sharedStack } from './stack.ts';

let stack: ReturnType<typeof sharedStack>;
beforeAll(async () => {
  stack = sharedStack();
});

const ACCOUNT = newAccountId();
const kms = () => clientsFor(stack.endpoint, ACCOUNT).kms;
const used = new Set<string>();
const send = (async (command: { constructor: { name: string } }) => {
  used.add(command.constructor.name.replace(/Command$/, ''));
  return kms().send(command as never);
}) as unknown as sdk.KMSClient['send'];
const newKey = async (input: sdk.CreateKeyCommandInput = {}) =>
  (await send(new sdk.CreateKeyCommand(input))).KeyMetadata?.KeyId ?? '';
const spki = (bytes: Uint8Array | undefined) =>
  createPublicKey({ key: Buffer.from(bytes ?? []), format: 'der', type: 'spki' });

describe('every operation of KMS through the official client', () => {
  it('signs, verifies and publishes', async () => {
    const KeyId = await newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const message = randomBytes(64);
    const request = { KeyId, SigningAlgorithm: 'ECDSA_SHA_256' } as const;
    const { Signature = new Uint8Array() } = await send(new sdk.SignCommand({ ...request, Message: message }));
    const { PublicKey } = await send(new sdk.GetPublicKeyCommand({ KeyId }));
    expect(verify('sha256', message, spki(PublicKey), Signature)).toBe(true);
    const digest = { Message: createHash('sha256').update(message).digest(), MessageType: 'DIGEST' } as const;
    const verified = await send(new sdk.VerifyCommand({ ...request, ...digest, Signature }));
    expect(verified.SignatureValid).toBe(true);
    const wrong = send(new sdk.VerifyCommand({ ...request, Message: randomBytes(3), Signature }));
    await expect(wrong).rejects.toBeInstanceOf(sdk.KMSInvalidSignatureException);
  });

  it('signs with ML-DSA', async () => {
    const KeyId = await newKey({ KeySpec: 'ML_DSA_65', KeyUsage: 'SIGN_VERIFY' });
    const request = { KeyId, SigningAlgorithm: 'ML_DSA_SHAKE_256', MessageType: 'EXTERNAL_MU', Message: randomBytes(64) } as const; // prettier-ignore
    const { Signature = new Uint8Array() } = await send(new sdk.SignCommand(request));
    expect((await send(new sdk.VerifyCommand({ ...request, Signature }))).SignatureValid).toBe(true);
    const wrong = send(new sdk.VerifyCommand({ ...request, MessageType: 'RAW', Signature }));
    await expect(wrong).rejects.toBeInstanceOf(sdk.KMSInvalidSignatureException);
    const { PublicKey = new Uint8Array() } = await send(new sdk.GetPublicKeyCommand({ KeyId }));
    // SubjectPublicKeyInfo of 2.16.840.1.101.3.4.3.18.
    expect(Buffer.from(PublicKey).toString('hex')).toMatch(
      /^308207b2300b0609608648016503040312038207a100[0-9a-f]{3904}$/,
    );
  });

  it('encrypts under RSA, authenticates and agrees', async () => {
    const rsa = await newKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
    const algorithm = { EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const;
    const encrypted = await send(new sdk.EncryptCommand({ KeyId: rsa, Plaintext: Buffer.from('x'), ...algorithm }));
    const { CiphertextBlob } = encrypted;
    const { Plaintext } = await send(new sdk.DecryptCommand({ KeyId: rsa, CiphertextBlob, ...algorithm }));
    expect(Buffer.from(Plaintext ?? []).toString()).toBe('x');
    const mac = { KeyId: await newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }), MacAlgorithm: 'HMAC_SHA_256', Message: Buffer.from('m') } as const; // prettier-ignore
    const { Mac } = await send(new sdk.GenerateMacCommand(mac));
    expect((await send(new sdk.VerifyMacCommand({ ...mac, Mac }))).MacValid).toBe(true);
    const KeyId = await newKey({ KeySpec: 'ECC_NIST_P384', KeyUsage: 'KEY_AGREEMENT' });
    const mine = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const PublicKey = mine.publicKey.export({ format: 'der', type: 'spki' });
    const derived = await send(new sdk.DeriveSharedSecretCommand({ KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey }));
    const theirs = spki((await send(new sdk.GetPublicKeyCommand({ KeyId }))).PublicKey);
    expect(Buffer.from(derived.SharedSecret ?? [])).toEqual(diffieHellman({ privateKey: mine.privateKey, publicKey: theirs })); // prettier-ignore
  });

  it('makes data key pairs and random bytes', async () => {
    const KeyId = await newKey();
    const pair = await send(new sdk.GenerateDataKeyPairCommand({ KeyId, KeyPairSpec: 'RSA_2048' }));
    const opened = await send(new sdk.DecryptCommand({ CiphertextBlob: pair.PrivateKeyCiphertextBlob }));
    expect(opened.Plaintext).toEqual(pair.PrivateKeyPlaintext);
    await send(new sdk.GenerateDataKeyPairWithoutPlaintextCommand({ KeyId, KeyPairSpec: 'ECC_SECG_P256K1' }));
    const { Plaintext } = await send(new sdk.GenerateRandomCommand({ NumberOfBytes: 32 }));
    expect(Plaintext).toHaveLength(32);
  });

  it('rotates', async () => {
    const KeyId = await newKey();
    await send(new sdk.EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 180 }));
    const status = await send(new sdk.GetKeyRotationStatusCommand({ KeyId }));
    expect(status).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 180 });
    expect(status.NextRotationDate).toBeInstanceOf(Date);
    await send(new sdk.RotateKeyOnDemandCommand({ KeyId }));
    await send(new sdk.DisableKeyRotationCommand({ KeyId }));
    const { Rotations } = await send(new sdk.ListKeyRotationsCommand({ KeyId }));
    expect(Rotations).toEqual([expect.objectContaining({ RotationType: 'ON_DEMAND', RotationDate: expect.any(Date) })]);
  });

  it('imports, lets expire and deletes material', async () => {
    const KeyId = await newKey({ Origin: 'EXTERNAL' });
    const asked = { KeyId, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_3072' } as const;
    const { ImportToken, PublicKey } = await send(new sdk.GetParametersForImportCommand(asked));
    const key = { key: spki(PublicKey), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
    const EncryptedKeyMaterial = publicEncrypt(key, randomBytes(32));
    const ValidTo = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
    await send(new sdk.ImportKeyMaterialCommand({ KeyId, ImportToken, EncryptedKeyMaterial, ValidTo }));
    const { KeyMetadata } = await send(new sdk.DescribeKeyCommand({ KeyId }));
    expect(KeyMetadata).toMatchObject({ KeyState: 'Enabled', ValidTo, ExpirationModel: 'KEY_MATERIAL_EXPIRES' });
    await send(new sdk.DeleteImportedKeyMaterialCommand({ KeyId }));
    const encrypt = send(new sdk.EncryptCommand({ KeyId, Plaintext: Buffer.from('x') }));
    await expect(encrypt).rejects.toBeInstanceOf(sdk.KMSInvalidStateException);
  });

  it('replicates', async () => {
    const KeyId = await newKey({ MultiRegion: true });
    const replicated = await send(new sdk.ReplicateKeyCommand({ KeyId, ReplicaRegion: 'us-east-1' }));
    expect(replicated.ReplicaKeyMetadata?.Arn).toBe(`arn:aws:kms:us-east-1:${ACCOUNT}:key/${KeyId}`);
    await send(new sdk.UpdatePrimaryRegionCommand({ KeyId, PrimaryRegion: 'us-east-1' }));
    const { KeyMetadata } = await send(new sdk.DescribeKeyCommand({ KeyId }));
    expect(KeyMetadata?.MultiRegionConfiguration?.MultiRegionKeyType).toBe('REPLICA');
  });

  it('manages keys, policies, grants, aliases and tags', async () => {
    const KeyId = await newKey({ Tags: [{ TagKey: 'a', TagValue: 'b' }] });
    const { Policy = '' } = await send(new sdk.GetKeyPolicyCommand({ KeyId }));
    await send(new sdk.PutKeyPolicyCommand({ KeyId, Policy }));
    expect((await send(new sdk.GetKeyPolicyCommand({ KeyId }))).Policy).toBe(Policy);
    expect((await send(new sdk.ListKeyPoliciesCommand({ KeyId }))).PolicyNames).toEqual(['default']);
    const me = `arn:aws:iam::${ACCOUNT}:root`;
    const grant = {
      KeyId,
      GranteePrincipal: me,
      RetiringPrincipal: me,
      Operations: ['Decrypt'] as sdk.GrantOperation[],
    };
    const [one, two] = [await send(new sdk.CreateGrantCommand(grant)), await send(new sdk.CreateGrantCommand(grant))];
    expect((await send(new sdk.ListGrantsCommand({ KeyId }))).Grants).toHaveLength(2);
    expect((await send(new sdk.ListRetirableGrantsCommand({ RetiringPrincipal: me }))).Grants).toHaveLength(2);
    await send(new sdk.RetireGrantCommand({ GrantToken: one.GrantToken }));
    await send(new sdk.RevokeGrantCommand({ KeyId, GrantId: two.GrantId }));
    await send(new sdk.CreateAliasCommand({ AliasName: 'alias/a', TargetKeyId: KeyId }));
    await send(new sdk.UpdateAliasCommand({ AliasName: 'alias/a', TargetKeyId: await newKey() }));
    await send(new sdk.ListAliasesCommand({}));
    await send(new sdk.DeleteAliasCommand({ AliasName: 'alias/a' }));
    await send(new sdk.TagResourceCommand({ KeyId, Tags: [{ TagKey: 'c', TagValue: 'd' }] }));
    await send(new sdk.UntagResourceCommand({ KeyId, TagKeys: ['a'] }));
    expect((await send(new sdk.ListResourceTagsCommand({ KeyId }))).Tags).toEqual([{ TagKey: 'c', TagValue: 'd' }]);
    await send(new sdk.UpdateKeyDescriptionCommand({ KeyId, Description: 'new' }));
    await send(new sdk.DisableKeyCommand({ KeyId }));
    await send(new sdk.EnableKeyCommand({ KeyId }));
    await send(new sdk.GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
    const { CiphertextBlob } = await send(
      new sdk.GenerateDataKeyWithoutPlaintextCommand({ KeyId, KeySpec: 'AES_256' }),
    );
    await send(new sdk.ReEncryptCommand({ CiphertextBlob, DestinationKeyId: KeyId }));
    const scheduled = await send(new sdk.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    expect(scheduled.DeletionDate).toBeInstanceOf(Date);
    await send(new sdk.CancelKeyDeletionCommand({ KeyId }));
    expect((await send(new sdk.ListKeysCommand({}))).Keys?.length).toBeGreaterThan(1);
  });

  it('tells when a key was last used', async () => {
    const KeyId = await newKey();
    const unused = await send(new sdk.GetKeyLastUsageCommand({ KeyId }));
    expect(unused).toMatchObject({ KeyId, KeyLastUsage: {}, KeyCreationDate: expect.any(Date) });
    expect(unused.TrackingStartDate).toEqual(unused.KeyCreationDate);
    const { $metadata } = await send(new sdk.GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
    const { KeyLastUsage } = await send(new sdk.GetKeyLastUsageCommand({ KeyId }));
    expect(KeyLastUsage).toEqual({
      Operation: 'GenerateDataKey',
      Timestamp: expect.any(Date),
      KmsRequestId: $metadata.requestId,
      CloudTrailEventId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    });
  });

  it('refuses by name what is not done here', async () => {
    const KeyId = await newKey();
    for (const command of [
      new sdk.DescribeCustomKeyStoresCommand({}),
      new sdk.CreateKeyCommand({ Origin: 'AWS_CLOUDHSM' }),
      new sdk.CreateKeyCommand({ KeySpec: 'ML_KEM_768', KeyUsage: 'ENCAPSULATE_DECAPSULATE' }),
      new sdk.DecryptCommand({
        KeyId,
        CiphertextBlob: randomBytes(200),
        Recipient: { AttestationDocument: randomBytes(10) },
      }),
    ]) {
      await expect(send(command as sdk.CreateKeyCommand)).rejects.toMatchObject({
        name: 'UnsupportedOperationException',
      });
    }
  });

  it('has left out no operation but custom key stores and encapsulation', () => {
    const all = Object.keys(sdk).filter((name) => /^[A-Z]\w+Command$/.test(name)).map((name) => name.replace(/Command$/, '')); // prettier-ignore
    expect(all.filter((name) => !used.has(name))).toEqual(
      all.filter((name) => /CustomKeyStore|capsulate/.test(name) && name !== 'DescribeCustomKeyStores'),
    );
  });
});
