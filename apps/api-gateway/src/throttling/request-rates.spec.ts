import type { ParsedRequest } from '@holdfast/aws-protocol';
import type { AccountId, Region } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import { kmsDefault, kmsQuotaOf } from './kms-quotas.ts';
import { parseRequestRates, RequestThrottle } from './request-rates.ts';
import { TokenBuckets } from './token-buckets.ts';

const asked = (service: 'kms' | 'ec2' | 'sts', operation: string, input: object = {}) =>
  ({ service, operation, input }) as ParsedRequest;
const here = { accountId: '111122223333' as AccountId, region: 'eu-central-1' as Region };
const throttle = (text: string) => new RequestThrottle(parseRequestRates(text), new TokenBuckets(() => 0));
/** How many of them pass before the first refusal. */
const passes = (held: RequestThrottle, request: ParsedRequest, where = here, most = 1000): number => {
  for (let n = 0; n < most; n++) {
    try {
      held.check(request, where);
    } catch {
      return n;
    }
  }
  return most;
};

describe('quotas of KMS', () => {
  it.each([
    ['Encrypt', {}, 'symmetric'],
    ['Decrypt', { EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }, 'rsa'],
    ['ReEncrypt', { SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }, 'symmetric'],
    ['GenerateMac', { MacAlgorithm: 'HMAC_SHA_256' }, 'symmetric'],
    ['GenerateRandom', {}, 'symmetric'],
    ['Sign', { SigningAlgorithm: 'RSASSA_PSS_SHA_256' }, 'rsa'],
    ['Verify', { SigningAlgorithm: 'ECDSA_SHA_256' }, 'ecc'],
    ['Sign', { SigningAlgorithm: 'ML_DSA_SHAKE_256' }, 'ml-dsa'],
    ['DeriveSharedSecret', {}, 'ecc'],
    ['GenerateDataKeyPair', { KeyPairSpec: 'RSA_4096' }, 'GenerateDataKeyPair-RSA_4096'],
    ['GenerateDataKeyPairWithoutPlaintext', { KeyPairSpec: 'ECC_NIST_P256' }, 'GenerateDataKeyPair-ECC_NIST_P256'],
    ['CreateKey', {}, 'CreateKey'],
  ])('count %s %j as %s', (operation, input, quota) => {
    expect(kmsQuotaOf(asked('kms', operation, input))).toBe(quota);
  });

  it('are larger in large Regions', () => {
    expect(['us-east-1', 'eu-central-1', 'eu-north-1'].map((region) => kmsDefault('symmetric', region))).toEqual([
      100_000, 20_000, 10_000,
    ]);
    expect(kmsDefault('GenerateDataKeyPair-RSA_4096', 'us-east-1')).toBe(0.1);
  });
});

describe('request rates', () => {
  it('hold nobody unless they are set', () => {
    expect(passes(throttle('off'), asked('kms', 'CreateKey'))).toBe(1000);
    expect(passes(throttle('kms:CreateAlias=1'), asked('kms', 'CreateKey'))).toBe(1000);
    expect(passes(throttle('aws'), asked('sts', 'GetCallerIdentity'))).toBe(1000);
  });

  it("are AWS's, but for those that are set", () => {
    const held = throttle('aws, kms:CreateAlias=7');
    expect(passes(held, asked('kms', 'CreateKey'))).toBe(5);
    expect(passes(held, asked('kms', 'CreateAlias'))).toBe(7);
    expect(passes(held, asked('kms', 'GetParametersForImport'))).toBe(1);
    expect(passes(held, asked('ec2', 'CreateVolume'))).toBe(200);
    expect(passes(held, asked('ec2', 'DescribeVolumes', { VolumeIds: ['vol-1'] }))).toBe(100);
    expect(passes(held, asked('ec2', 'DescribeVolumes'))).toBe(50);
  });

  it('are of one account in one Region, and operations that share a quota share its bucket', () => {
    const held = throttle('kms:symmetric=3');
    expect(passes(held, asked('kms', 'Encrypt'))).toBe(3);
    expect(passes(held, asked('kms', 'GenerateDataKey'))).toBe(0);
    expect(passes(held, asked('kms', 'Encrypt'), { ...here, region: 'eu-west-1' as Region })).toBe(3);
    expect(passes(held, asked('kms', 'Encrypt'), { ...here, accountId: '444455556666' as AccountId })).toBe(3);
    expect(passes(held, asked('kms', 'Encrypt', { EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' }))).toBe(1000);
  });

  it('refuse in the words of each API', () => {
    const held = throttle('kms:CreateKey=1,ec2:mutating=1');
    for (const request of [asked('kms', 'CreateKey'), asked('ec2', 'CreateVolume')]) held.check(request, here);
    expect(() => held.check(asked('kms', 'CreateKey'), here)).toThrow(
      expect.objectContaining({
        code: 'ThrottlingException',
        message: 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
        status: 400,
      }),
    );
    expect(() => held.check(asked('ec2', 'CreateVolume'), here)).toThrow(
      expect.objectContaining({ code: 'RequestLimitExceeded', status: 503 }),
    );
  });

  it.each([
    'kms:Nonsense=1',
    'kms:CreateKey',
    'kms:CreateKey=0',
    'kms:CreateKey=1=2',
    'ec2=5',
    'yes',
    'kms:CreateKey=x',
  ])('are not %j', (text) => {
    expect(() => parseRequestRates(text)).toThrow(RangeError);
  });
});
