import { AwsError, type DataKeyUse, type RequestContext } from '@holdfast/contracts';
import { testContext } from '@holdfast/messaging/testing';
import { describe, expect, it } from 'vitest';
import { KmsKeys } from './kms-keys.ts';

const { principal, accountId, region } = testContext();
const use: DataKeyUse = {
  keyArn: 'arn:aws:kms:eu-central-1:111122223333:key/k',
  encryptedDataKey: 'd3JhcHBlZA==',
  encryptionContext: { 'aws:ebs:id': 'vol-00000001' },
  dataKeyId: 'd',
  principal,
  accountId,
  region,
  requestId: 'r-1',
};
const keysThat = (answer: () => unknown) => {
  const asked: { input: unknown; context: RequestContext }[] = [];
  const request = async <Output>(_: string, __: string, input: unknown, context: RequestContext) => {
    asked.push({ input, context });
    return answer() as Output;
  };
  return { keys: new KmsKeys({ request }), asked };
};

describe('unwrapping a data key', () => {
  it('is asked as the principal it is for, on behalf of EC2, sealed to the host', async () => {
    const { keys, asked } = keysThat(() => ({ Plaintext: 'sealed' }));
    expect(await keys.unwrap(use, 'public key')).toEqual({ sealed: 'sealed', requestId: 'r-1' });
    expect(asked[0]?.input).toEqual({
      CiphertextBlob: use.encryptedDataKey,
      EncryptionContext: use.encryptionContext,
      KeyId: use.keyArn,
    });
    expect(asked[0]?.context).toMatchObject({
      requestId: 'r-1',
      principal,
      viaService: 'ec2.eu-central-1.amazonaws.com',
      recipientPublicKey: 'public key',
    });
  });

  it('is KmsKeyUnusable with KMS’s words, and its code where it has none', async () => {
    const disabled = keysThat(() => {
      throw new AwsError({ code: 'DisabledException', message: 'k is disabled.' });
    });
    await expect(disabled.keys.unwrap(use, '')).rejects.toMatchObject({
      code: 'KmsKeyUnusable',
      message: 'k is disabled.',
    });
    const silent = keysThat(() => {
      throw new AwsError({ code: 'InvalidCiphertextException' });
    });
    const expected = { code: 'KmsKeyUnusable', message: 'InvalidCiphertextException' };
    await expect(silent.keys.unwrap(use, '')).rejects.toMatchObject(expected);
  });

  it('is not taken for a bad key when KMS can not be asked', async () => {
    for (const error of [new Error('no answer'), new AwsError({ code: 'KMSInternalException' })]) {
      const { keys } = keysThat(() => {
        throw error;
      });
      await expect(keys.unwrap(use, '')).rejects.toBe(error);
    }
  });
});

describe('wrapping a data key for another owner', () => {
  it('is asked as the same principal, in the other encryption context, of a plaintext sealed to KMS', async () => {
    const { keys, asked } = keysThat(() => ({ publicKey: "KMS's", CiphertextBlob: 'wrapped' }));
    expect(await keys.wrappingKey(use)).toEqual({ publicKey: "KMS's", requestId: 'r-1' });
    expect(await keys.wrap(use, 'sealed', { 'aws:ebs:id': 'snap-2' })).toBe('wrapped');
    expect(asked[1]).toMatchObject({
      input: { KeyId: use.keyArn, Plaintext: 'sealed', EncryptionContext: { 'aws:ebs:id': 'snap-2' } },
      context: { requestId: 'r-1', principal, viaService: 'ec2.eu-central-1.amazonaws.com' },
    });
  });
});
