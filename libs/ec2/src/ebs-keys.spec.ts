import { accountId, AwsError, instanceId, keyArn, region, type RequestContext } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import { attachmentGrant, copyGrant, ebsServiceContext, forwardedContext, volumeGrant } from './ebs-grants.ts';
import { EbsKeys, isRefusal } from './ebs-keys.ts';
import { refuseParameters } from './errors.ts';

const EC2 = 'ec2.eu-central-1.amazonaws.com';
const here = region('eu-central-1');
const account = accountId('111122223333');
const key = keyArn('arn:aws:kms:eu-central-1:111122223333:key/k');
const context: RequestContext = {
  requestId: 'r',
  accountId: account,
  region: here,
  principal: { type: 'User', arn: 'arn:aws:iam::111122223333:user/u', accountId: account, principalId: 'AIDA' },
  sourceIp: '127.0.0.1',
  userAgent: 'test',
  deadlineMs: 1,
};
const answering = (answer: object | AwsError) =>
  new EbsKeys(<Output>() =>
    answer instanceof AwsError ? Promise.reject<Output>(answer) : Promise.resolve(answer as Output),
  );

describe('a key for EBS', () => {
  const metadata = { Arn: key, KeyState: 'Enabled', KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' };
  const asked = (answer: object | AwsError) => answering(answer).usableKey('alias/k', context);
  it('is a symmetric one that is enabled', async () => {
    expect(await asked({ KeyMetadata: metadata })).toBe(key);
  });
  it.each<[object | AwsError, string, string]>([
    [{ KeyMetadata: { ...metadata, KeySpec: 'RSA_2048' } }, 'InvalidParameterValue', 'The specified keyId alias/k is invalid'],
    [{ KeyMetadata: { ...metadata, KeyUsage: 'SIGN_VERIFY' } }, 'InvalidParameterValue', 'The specified keyId alias/k is invalid'],
    [{ KeyMetadata: { ...metadata, KeyState: 'Disabled' } }, 'InvalidParameterValue', 'The specified keyId alias/k is disabled'],
    [{ KeyMetadata: { ...metadata, KeyState: 'PendingDeletion' } }, 'InvalidParameterValue', 'The specified keyId alias/k is invalid'],
    [new AwsError({ code: 'NotFoundException', message: 'x' }), 'InvalidParameterValue', 'The specified keyId alias/k is invalid'],
    [new AwsError({ code: 'AccessDeniedException', message: 'x' }), 'AuthFailure', 'Not authorized to use key alias/k '],
    [new AwsError({ code: 'KMSInternalException', message: 'x' }), 'KMSInternalException', 'x'],
  ])('is none of the others: %#', async (answer, code, message) => {
    await expect(asked(answer)).rejects.toMatchObject({ code, message });
  }); // prettier-ignore
});

describe('a refusal', () => {
  it('is what asking again does not change', () => {
    expect(isRefusal(new AwsError({ code: 'DisabledException' }))).toBe(true);
    expect(isRefusal(new AwsError({ code: 'ThrottlingException' }))).toBe(false);
    expect(isRefusal(new AwsError({ code: 'Whatever', status: 503 }))).toBe(false);
    expect(isRefusal(new Error('timeout'))).toBe(false);
  });
  it('of a grant that is gone is none', async () => {
    await answering(new AwsError({ code: 'NotFoundException' })).retireGrant(key, 'g', context);
    await expect(
      answering(new AwsError({ code: 'AccessDeniedException' })).retireGrant(key, 'g', context),
    ).rejects.toThrow();
  });
  it('to list grants means that none is found', async () => {
    const grant = volumeGrant(key, here, {}, 'n');
    expect(await answering(new AwsError({ code: 'AccessDeniedException' })).findGrant(grant, context)).toBeNull();
    expect(await answering({ Grants: [{ GrantId: 'g', Name: 'other' }] }).findGrant(grant, context)).toBeNull();
    expect(await answering({ Grants: [{ GrantId: 'g', Name: 'n' }] }).findGrant(grant, context)).toBe('g');
  });
});

it('finds a grant on whichever page it is', async () => {
  const inputs: object[] = [];
  const pages = [
    { Grants: [{ GrantId: 'g1', Name: 'a' }], NextMarker: 'm' },
    { Grants: [{ GrantId: 'g2', Name: 'n' }] },
  ];
  const keys = new EbsKeys(<Output>(_: string, input: unknown) => {
    inputs.push(input as object);
    return Promise.resolve(pages[inputs.length - 1] as Output);
  });
  expect(await keys.findGrant(volumeGrant(key, here, {}, 'n'), context)).toBe('g2');
  expect(inputs).toMatchObject([{ KeyId: key, Limit: 100 }, { Marker: 'm' }]);
});

describe('the grants of EBS', () => {
  const id = { 'aws:ebs:id': 'vol-1' };
  const common = { KeyId: key, RetiringPrincipal: EC2, Operations: ['Decrypt'], Name: 'n' };
  it('name who may decrypt what', () => {
    expect(volumeGrant(key, here, id, 'n')).toEqual({
      ...common,
      GranteePrincipal: EC2,
      Constraints: { EncryptionContextSubset: id },
    });
    expect(copyGrant(key, here, id, 'n')).toEqual({
      ...common,
      GranteePrincipal: EC2,
      Constraints: { EncryptionContextEquals: id },
    });
    expect(copyGrant(key, here, id, 'n', 'Encrypt')).toEqual({
      ...common,
      Operations: ['Encrypt'],
      GranteePrincipal: EC2,
      Constraints: { EncryptionContextEquals: id },
    });
    const instance = instanceId('i-0123456789abcdef0');
    expect(attachmentGrant(key, { accountId: account, region: here }, instance, id, 'n')).toEqual({
      ...common,
      GranteePrincipal: `arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/${instance}`,
      Constraints: { EncryptionContextSubset: id },
    });
  });
});

describe('calls to KMS', () => {
  it('are forwarded as the caller, through EC2', () => {
    expect(forwardedContext(context, 2)).toEqual({ ...context, viaService: EC2, deadlineMs: 2 });
  });
  it("of EBS itself are the service's", () => {
    const { principal, viaService } = ebsServiceContext(context, 2);
    expect({ ...principal, viaService }).toMatchObject({ type: 'AWSService', arn: EC2, viaService: EC2 });
  });
});

describe('a parameter that is not carried out', () => {
  it('is refused when it is there, whatever its value, unless it is an empty text', () => {
    expect(() => refuseParameters({ A: undefined, B: null, C: '' })).not.toThrow();
    for (const value of [false, 0, ' ', {}])
      expect(() => refuseParameters({ A: value })).toThrow(
        expect.objectContaining({ code: 'UnsupportedOperation', message: 'The parameter A is not supported.' }),
      );
  });
});
