import { beforeAll, describe, expect, it } from 'vitest';
import { ACTIONS } from './adapters/inbound/kms-requests.ts';
import { ImportedMaterial } from './testing/imported-material.ts';
import { ACCOUNT, refusal, runningKms } from './testing/running-kms.ts';

// KMS's own words, to the letter: those that recordings of Amazon's answers show.

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);
type Key = { id: string; arn: string };
const keys = {} as Record<
  'symmetric' | 'rsa' | 'signing' | 'ecc' | 'mlDsa' | 'hmac' | 'agreement' | 'external' | 'disabled',
  Key
>;

beforeAll(async () => {
  const make = (input: object) => me().newKey(input);
  keys.symmetric = await make({});
  keys.rsa = await make({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
  keys.signing = await make({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
  keys.ecc = await make({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  keys.mlDsa = await make({ KeySpec: 'ML_DSA_44', KeyUsage: 'SIGN_VERIFY' });
  keys.hmac = await make({ KeySpec: 'HMAC_224', KeyUsage: 'GENERATE_VERIFY_MAC' });
  keys.agreement = await make({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
  keys.external = await make({ Origin: 'EXTERNAL' });
  keys.disabled = await make({});
  await me().call('DisableKey', { KeyId: keys.disabled.id });
});

const Message = Buffer.from('m').toString('base64');
const failed = 'failed to satisfy constraint: Member must';
const one = (problem: string) => `1 validation error detected: ${problem}`;
const tag = (TagKey: string, TagValue = '') => ({ TagKey, TagValue });
const absent = '1234abcd-12ab-34cd-56ef-1234567890ab';
const prefix = `arn:aws:kms:eu-central-1:${ACCOUNT}:`;

type Case = [rule: string, action: string, input: () => object, code: string, message?: () => string];
const V = 'ValidationException';
const CASES: Case[] = [
  ['an absent key', 'DescribeKey', () => ({ KeyId: absent }), 'NotFoundException', () => `Key '${prefix}key/${absent}' does not exist`],
  ['no key id', 'DescribeKey', () => ({ KeyId: 'fake' }), 'NotFoundException', () => "Invalid keyId 'fake'"],
  ['another Region', 'DescribeKey', () => ({ KeyId: `arn:aws:kms:us-east-1:${ACCOUNT}:key/${absent}` }), 'NotFoundException', () => 'Invalid arn us-east-1'],
  ['an absent alias', 'DescribeKey', () => ({ KeyId: 'alias/none' }), 'NotFoundException', () => `Alias ${prefix}alias/none is not found.`],
  ['wrong usage', 'GenerateMac', () => ({ KeyId: keys.symmetric.id, Message, MacAlgorithm: 'HMAC_SHA_256' }), 'InvalidKeyUsageException', () => `${keys.symmetric.arn} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.`],
  ['wrong usage of a pair', 'Sign', () => ({ KeyId: keys.agreement.id, Message, SigningAlgorithm: 'ECDSA_SHA_256' }), 'InvalidKeyUsageException', () => `${keys.agreement.arn} key usage is KEY_AGREEMENT which is not valid for Sign.`],
  ['another spec’s algorithm', 'GenerateMac', () => ({ KeyId: keys.hmac.id, Message, MacAlgorithm: 'HMAC_SHA_256' }), 'InvalidKeyUsageException', () => 'Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224.'],
  ['no algorithm of RSA', 'Encrypt', () => ({ KeyId: keys.rsa.id, Plaintext: Buffer.from('x') }), 'InvalidKeyUsageException', () => 'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.'],
  ['RSA too long', 'Encrypt', () => ({ KeyId: keys.rsa.id, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256', Plaintext: Buffer.alloc(191) }), V, () => 'Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.'],
  ['symmetric too long', 'Encrypt', () => ({ KeyId: keys.symmetric.id, Plaintext: Buffer.alloc(4097) }), V, () => one(`Value at 'plaintext' ${failed} have length less than or equal to 4096`)],
  ['digest length', 'Sign', () => ({ KeyId: keys.signing.id, Message, MessageType: 'DIGEST', SigningAlgorithm: 'RSASSA_PSS_SHA_256' }), V, () => 'Digest is invalid length for algorithm RSASSA_PSS_SHA_256.'],
  ['µ length', 'Sign', () => ({ KeyId: keys.mlDsa.id, Message, MessageType: 'EXTERNAL_MU', SigningAlgorithm: 'ML_DSA_SHAKE_256' }), V, () => 'Digest is invalid length for algorithm ML_DSA_SHAKE_256.'],
  ['a digest for ML-DSA', 'Sign', () => ({ KeyId: keys.mlDsa.id, Message, MessageType: 'DIGEST', SigningAlgorithm: 'ML_DSA_SHAKE_256' }), V, () => 'MessageType DIGEST is not supported for algorithm ML_DSA_SHAKE_256.'],
  ['µ for ECDSA', 'Sign', () => ({ KeyId: keys.ecc.id, Message, MessageType: 'EXTERNAL_MU', SigningAlgorithm: 'ECDSA_SHA_256' }), V, () => 'MessageType EXTERNAL_MU is not supported for algorithm ECDSA_SHA_256.'],
  ['ECDSA of an ML-DSA key', 'Sign', () => ({ KeyId: keys.mlDsa.id, Message, SigningAlgorithm: 'ECDSA_SHA_256' }), 'InvalidKeyUsageException', () => 'Algorithm ECDSA_SHA_256 is incompatible with key spec ML_DSA_44.'],
  ['an ML-DSA message too long', 'Sign', () => ({ KeyId: keys.mlDsa.id, Message: Buffer.alloc(4097).toString('base64'), SigningAlgorithm: 'ML_DSA_SHAKE_256' }), V, () => one(`Value at 'message' ${failed} have length less than or equal to 4096`)],
  ['encryption by an ML-DSA key', 'Encrypt', () => ({ KeyId: keys.mlDsa.id, Plaintext: Buffer.from('x') }), 'InvalidKeyUsageException', () => `${keys.mlDsa.arn} key usage is SIGN_VERIFY which is not valid for Encrypt.`],
  ['another usage of an ML-DSA key', 'CreateKey', () => ({ KeySpec: 'ML_DSA_87', KeyUsage: 'KEY_AGREEMENT' }), V, () => 'KeyUsage KEY_AGREEMENT is not compatible with KeySpec ML_DSA_87'],
  ['rotating an ML-DSA key', 'RotateKeyOnDemand', () => ({ KeyId: keys.mlDsa.id }), 'UnsupportedOperationException'],
  ['an ML-KEM data key pair', 'GenerateDataKeyPair', () => ({ KeyId: keys.symmetric.id, KeyPairSpec: 'ML_KEM_768' }), 'UnsupportedOperationException', () => 'KeyPairSpec ML_KEM_768 is not supported.'],
  ['message too long', 'Sign', () => ({ KeyId: keys.signing.id, Message: Buffer.alloc(4097).toString('base64'), SigningAlgorithm: 'RSASSA_PSS_SHA_256' }), V, () => one(`Value at 'message' ${failed} have length less than or equal to 4096`)],
  ['random without a size', 'GenerateRandom', () => ({}), V, () => 'NumberOfBytes is required.'],
  ['too much random', 'GenerateRandom', () => ({ NumberOfBytes: 1025 }), V, () => one(`Value '1025' at 'numberOfBytes' ${failed} have value less than or equal to 1024`)],
  ['no usage', 'CreateKey', () => ({ KeySpec: 'RSA_2048' }), V, () => 'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.'],
  ['usage against spec', 'CreateKey', () => ({ KeySpec: 'RSA_2048', KeyUsage: 'KEY_AGREEMENT' }), V, () => 'KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048'],
  ['usage against the default spec', 'CreateKey', () => ({ KeyUsage: 'SIGN_VERIFY' }), V, () => 'KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT'],
  ['disabled', 'Encrypt', () => ({ KeyId: keys.disabled.id, Plaintext: Buffer.from('x') }), 'DisabledException', () => `${keys.disabled.arn} is disabled.`],
  ['not pending deletion', 'CancelKeyDeletion', () => ({ KeyId: keys.symmetric.id }), 'KMSInvalidStateException', () => `${keys.symmetric.arn} is not pending deletion.`],
  ['pending import', 'Encrypt', () => ({ KeyId: keys.external.id, Plaintext: Buffer.from('x') }), 'KMSInvalidStateException', () => `${keys.external.arn} is pending import.`],
  ['rotating a pair', 'RotateKeyOnDemand', () => ({ KeyId: keys.ecc.id }), 'UnsupportedOperationException'],
  ['rotating an HMAC key', 'RotateKeyOnDemand', () => ({ KeyId: keys.hmac.id }), 'UnsupportedOperationException'],
  ['rotating imported material', 'EnableKeyRotation', () => ({ KeyId: keys.external.id }), 'UnsupportedOperationException', () => `${keys.external.arn} origin is EXTERNAL which is not valid for this operation.`],
  ['importing into a key made here', 'GetParametersForImport', () => ({ KeyId: keys.symmetric.id, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' }), 'UnsupportedOperationException', () => `${keys.symmetric.arn} origin is AWS_KMS which is not valid for this operation.`],
  ['replicating what is in one Region', 'ReplicateKey', () => ({ KeyId: keys.symmetric.id, ReplicaRegion: 'eu-west-1' }), 'UnsupportedOperationException', () => `${keys.symmetric.arn} is not a multi-region primary key.`],
  ['a data key without a size', 'GenerateDataKey', () => ({ KeyId: keys.symmetric.id }), V, () => 'Please specify either number of bytes or key spec.'],
  ['a short rotation period', 'EnableKeyRotation', () => ({ KeyId: keys.symmetric.id, RotationPeriodInDays: 89 }), V, () => one(`Value '89' at 'rotationPeriodInDays' ${failed} have value greater than or equal to 90`)],
  ['an alias without prefix', 'CreateAlias', () => ({ AliasName: 'mine', TargetKeyId: keys.symmetric.id }), V, () => 'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'],
  ['AWS’s own alias', 'CreateAlias', () => ({ AliasName: 'alias/aws/mine', TargetKeyId: keys.symmetric.id }), 'NotAuthorizedException'],
  ['an alias of an alias', 'CreateAlias', () => ({ AliasName: 'alias/a', TargetKeyId: 'alias/b' }), V, () => 'Aliases must refer to keys. Not aliases'],
  ['a tag key twice', 'TagResource', () => ({ KeyId: keys.symmetric.id, Tags: [tag('a'), tag('a')] }), 'TagException', () => 'Duplicate tag keys'],
  ['51 tags', 'TagResource', () => ({ KeyId: keys.symmetric.id, Tags: Array.from({ length: 51 }, (_, n) => tag(String(n))) }), 'TagException', () => 'Too many tags'],
  ['a tag of AWS', 'TagResource', () => ({ KeyId: keys.symmetric.id, Tags: [tag('AWS:x')] }), 'TagException', () => 'Tags beginning with aws: are reserved'],
  ['a long tag value', 'TagResource', () => ({ KeyId: keys.symmetric.id, Tags: [tag('a', 'v'.repeat(257))] }), V, () => one(`Value '${'v'.repeat(257)}' at 'tags.1.member.tagValue' ${failed} have length less than or equal to 256`)],
  ['data keys of a pair', 'GenerateDataKey', () => ({ KeyId: keys.rsa.id, KeySpec: 'AES_256' }), 'InvalidKeyUsageException'],
]; // prettier-ignore

describe('the words of KMS', () => {
  it.each(CASES)('%s (%s)', async (rule, action, input, code, message) => {
    const call = me().call(action, input());
    if (rule === 'data keys of a pair') await expect(call).rejects.toMatchObject({ code });
    else await expect(call).rejects.toEqual(refusal(code, message?.()));
  });

  it('there is no ML-DSA data key pair', async () => {
    const call = me().call('GenerateDataKeyPair', { KeyId: keys.symmetric.id, KeyPairSpec: 'ML_DSA_44' });
    await expect(call).rejects.toMatchObject({ code: V, message: expect.stringContaining("Value 'ML_DSA_44' at 'keyPairSpec' failed") }); // prettier-ignore
  });

  it('an alias keeps to one kind of key', async () => {
    await me().call('CreateAlias', { AliasName: 'alias/kind', TargetKeyId: keys.symmetric.id });
    await expect(
      me().call('UpdateAlias', { AliasName: 'alias/kind', TargetKeyId: keys.hmac.id }),
    ).rejects.toMatchObject({
      code: V,
      message: expect.stringMatching(
        /^Alias alias\/kind cannot be changed from a CMK with key usage ENCRYPT_DECRYPT to /,
      ),
    });
  });

  it.each(['CreateCustomKeyStore', 'DescribeCustomKeyStores', 'Encapsulate', 'Decapsulate'])(
    '%s is not done here',
    async (action) => {
      // prettier-ignore
      await expect(me().call(action, {})).rejects.toEqual(
      refusal('UnsupportedOperationException', `${action} is not supported.`),
    );
    },
  );
});

describe('checks come in this order', () => {
  const user = { type: 'User', arn: `arn:aws:iam::${ACCOUNT}:user/nobody`, accountId: ACCOUNT, principalId: 'AIDAN' };
  const nobody = () => me().as({ principal: user as never });
  const wrong = () => ({ KeyId: keys.disabled.id, Message, MacAlgorithm: 'HMAC_SHA_256' });

  it('shape, key, access, usage, state, DryRun', async () => {
    await expect(nobody().call('Sign', { KeyId: absent, Message: '' })).rejects.toMatchObject({ code: V });
    const sign = { Message, SigningAlgorithm: 'ECDSA_SHA_256' };
    await expect(nobody().call('Sign', { KeyId: absent, ...sign })).rejects.toMatchObject({
      code: 'NotFoundException',
    });
    await expect(nobody().call('GenerateMac', wrong())).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await expect(me().call('GenerateMac', wrong())).rejects.toMatchObject({ code: 'InvalidKeyUsageException' });
    const dry = { KeyId: keys.disabled.id, KeySpec: 'AES_256', DryRun: true };
    await expect(me().call('GenerateDataKey', dry)).rejects.toMatchObject({ code: 'DisabledException' });
    await expect(me().call('GenerateDataKey', { ...dry, KeyId: keys.symmetric.id })).rejects.toMatchObject({ code: 'DryRunOperationException' }); // prettier-ignore
  });

  it('DryRun ends each operation that has it, and leaves nothing behind', async () => {
    const material = ImportedMaterial.of('symmetric');
    await material.importInto(me(), keys.external.id);
    const KeyId = keys.symmetric.id;
    const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    const { Signature } = await me().call('Sign', { KeyId: keys.ecc.id, Message, SigningAlgorithm: 'ECDSA_SHA_256' });
    const { Mac } = await me().call('GenerateMac', { KeyId: keys.hmac.id, Message, MacAlgorithm: 'HMAC_SHA_224' });
    const grant = { KeyId, GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`, Operations: ['Decrypt'] };
    const { GrantId } = await me().call('CreateGrant', grant);
    const { PublicKey } = await me().call('GetPublicKey', { KeyId: keys.agreement.id });
    const count = async () => (await kms().sql.query('SELECT count(*)::int AS n FROM events')).rows[0].n;
    const before = await count();
    const calls: [string, object][] = [
      ['Encrypt', { KeyId, Plaintext: Buffer.from('x') }],
      ['Decrypt', { CiphertextBlob }],
      ['ReEncrypt', { CiphertextBlob, DestinationKeyId: KeyId }],
      ['GenerateDataKey', { KeyId, KeySpec: 'AES_256' }],
      ['GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_256' }],
      ['GenerateDataKeyPair', { KeyId, KeyPairSpec: 'ECC_NIST_P256' }],
      ['GenerateDataKeyPairWithoutPlaintext', { KeyId, KeyPairSpec: 'ECC_NIST_P256' }],
      ['Sign', { KeyId: keys.ecc.id, Message, SigningAlgorithm: 'ECDSA_SHA_256' }],
      ['Verify', { KeyId: keys.ecc.id, Message, SigningAlgorithm: 'ECDSA_SHA_256', Signature }],
      ['GenerateMac', { KeyId: keys.hmac.id, Message, MacAlgorithm: 'HMAC_SHA_224' }],
      ['VerifyMac', { KeyId: keys.hmac.id, Message, MacAlgorithm: 'HMAC_SHA_224', Mac }],
      ['DeriveSharedSecret', { KeyId: keys.agreement.id, KeyAgreementAlgorithm: 'ECDH', PublicKey }],
      ['CreateGrant', grant],
      ['RetireGrant', { KeyId: keys.symmetric.arn, GrantId }],
      ['RevokeGrant', { KeyId, GrantId }],
    ];
    for (const [action, input] of calls) {
      await expect(me().call(action, { ...input, DryRun: true }), action).rejects.toEqual(
        refusal('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.'),
      );
    }
    expect(await count()).toBe(before);
    const without = Object.keys(ACTIONS).filter((action) => !calls.some(([name]) => name === action));
    for (const action of without.filter(
      (name) => !/^(?:Get(?:Transport|KeyManager)|.*CustomKeyStore|En|De)/.test(name),
    )) {
      await expect(me().call(action, { DryRun: true }), action).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:UnsupportedOperation|Validation)Exception$/),
      });
    }
  });
});
