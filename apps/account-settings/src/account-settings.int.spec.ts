import { AwsError } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import { testContext } from '@holdfast/messaging/testing';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { start } from './service.ts';

const AWS_MANAGED = 'arn:aws:kms:eu-central-1:111122223333:key/11111111-1111-1111-1111-111111111111';
const CUSTOMER = 'arn:aws:kms:eu-central-1:111122223333:key/22222222-2222-2222-2222-222222222222';
const key = (Arn: string, fields = {}) => ({
  KeyMetadata: { Arn, KeyState: 'Enabled', KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT', ...fields },
});

/** What KMS would answer to DescribeKey. */
const KEYS: Readonly<Record<string, unknown>> = {
  'alias/aws/ebs': key(AWS_MANAGED),
  'alias/mine': key(CUSTOMER),
  'alias/disabled': key(CUSTOMER, { KeyState: 'Disabled' }),
  'alias/dying': key(CUSTOMER, { KeyState: 'PendingDeletion' }),
  'alias/rsa': key(CUSTOMER, { KeySpec: 'RSA_2048' }),
  'alias/hmac': key(CUSTOMER, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
};
const viaServices: (string | undefined)[] = [];
const kms: RequestHandlers = {
  DescribeKey: async ({ KeyId }: { KeyId: string }, { viaService }) => {
    viaServices.push(viaService);
    await Promise.resolve();
    if (KeyId === 'alias/denied') throw new AwsError({ code: 'AccessDeniedException', message: 'no' });
    const found = KEYS[KeyId];
    if (found === undefined) throw new AwsError({ code: 'NotFoundException', message: 'no' });
    return found;
  },
};

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack(inject('postgresAdminUrl'));
  await stack.bus.serveRequests('kms', kms);
  await stack.start(start);
});
afterAll(() => stack.close());

const call = (action: string, input: object = {}, fields = {}) =>
  stack.bus.request('account-settings', action, input, testContext(60_000, fields));

describe('encryption by default', () => {
  it('is off, on and off again, for one account in one Region', async () => {
    expect(await call('GetEbsEncryptionByDefault')).toEqual({ EbsEncryptionByDefault: false });
    expect(await call('EnableEbsEncryptionByDefault')).toEqual({ EbsEncryptionByDefault: true });
    expect(await call('EnableEbsEncryptionByDefault')).toEqual({ EbsEncryptionByDefault: true });
    expect(await call('GetEbsEncryptionByDefault')).toEqual({ EbsEncryptionByDefault: true });
    expect(await call('GetEbsEncryptionByDefault', {}, { region: 'us-east-1' })).toEqual({
      EbsEncryptionByDefault: false,
    });
    expect(await call('GetEbsEncryptionByDefault', {}, { accountId: '444455556666' })).toEqual({
      EbsEncryptionByDefault: false,
    });
    expect(await call('DisableEbsEncryptionByDefault')).toEqual({ EbsEncryptionByDefault: false });
    expect(await call('GetEbsEncryptionByDefault')).toEqual({ EbsEncryptionByDefault: false });
  });

  it('is not changed by a dry run', async () => {
    await expect(call('EnableEbsEncryptionByDefault', { DryRun: true })).rejects.toMatchObject({
      code: 'DryRunOperation',
      status: 412,
    });
    expect(await call('GetEbsEncryptionByDefault')).toEqual({ EbsEncryptionByDefault: false });
  });
});

describe('the default key', () => {
  it('is the alias until changed, then the ARN; reset answers the ARN of the AWS managed key', async () => {
    expect(await call('GetEbsDefaultKmsKeyId')).toEqual({ KmsKeyId: 'alias/aws/ebs' });
    expect(await call('GetEncryptionDefaults')).toEqual({ encryptionByDefault: false, defaultKmsKeyId: null });
    expect(await call('ModifyEbsDefaultKmsKeyId', { KmsKeyId: 'alias/mine' })).toEqual({ KmsKeyId: CUSTOMER });
    expect(await call('GetEbsDefaultKmsKeyId')).toEqual({ KmsKeyId: CUSTOMER });
    expect(await call('GetEncryptionDefaults')).toEqual({ encryptionByDefault: false, defaultKmsKeyId: CUSTOMER });
    expect(await call('ResetEbsDefaultKmsKeyId')).toEqual({ KmsKeyId: AWS_MANAGED });
    expect(await call('GetEbsDefaultKmsKeyId')).toEqual({ KmsKeyId: 'alias/aws/ebs' });
    expect(new Set(viaServices)).toEqual(new Set(['ec2.eu-central-1.amazonaws.com']));
  });

  it.each([
    ['alias/absent', 'InvalidParameterValue', 'The specified keyId alias/absent is invalid'],
    ['alias/rsa', 'InvalidParameterValue', 'The specified keyId alias/rsa is invalid'],
    ['alias/hmac', 'InvalidParameterValue', 'The specified keyId alias/hmac is invalid'],
    ['alias/dying', 'InvalidParameterValue', 'The specified keyId alias/dying is invalid'],
    ['alias/disabled', 'InvalidParameterValue', 'The specified keyId alias/disabled is disabled'],
    ['alias/denied', 'AuthFailure', 'Not authorized to use key alias/denied '],
  ])('is not %s', async (KmsKeyId, code, message) => {
    await expect(call('ModifyEbsDefaultKmsKeyId', { KmsKeyId })).rejects.toMatchObject({ code, message });
    expect(await call('GetEbsDefaultKmsKeyId')).toEqual({ KmsKeyId: 'alias/aws/ebs' });
  });

  it('must be given', async () => {
    await expect(call('ModifyEbsDefaultKmsKeyId')).rejects.toMatchObject({ code: 'MissingParameter' });
    await expect(call('ModifyEbsDefaultKmsKeyId', { KmsKeyId: '' })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
    });
  });
});

describe('block public access for snapshots', () => {
  const state = (fields = {}) => call('GetSnapshotBlockPublicAccessState', {}, fields);
  const hiding = () =>
    call('ListHiddenPublicSnapshots', { accounts: ['111122223333', '444455556666'] }, { accountId: '777788889999' });

  it('has two modes, for one account in one Region', async () => {
    expect(await state()).toEqual({ State: 'unblocked', ManagedBy: 'account' });
    expect(await call('EnableSnapshotBlockPublicAccess', { State: 'block-new-sharing' })).toEqual({
      State: 'block-new-sharing',
    });
    expect(await hiding()).toEqual({ hiding: [] });
    expect(await call('EnableSnapshotBlockPublicAccess', { State: 'block-all-sharing' })).toEqual({
      State: 'block-all-sharing',
    });
    expect(await state()).toEqual({ State: 'block-all-sharing', ManagedBy: 'account' });
    expect(await hiding()).toEqual({ hiding: ['111122223333'] });
    expect(await state({ region: 'us-east-1' })).toMatchObject({ State: 'unblocked' });
    expect(await state({ accountId: '444455556666' })).toMatchObject({ State: 'unblocked' });
    expect(await call('DisableSnapshotBlockPublicAccess')).toEqual({ State: 'unblocked' });
    expect(await state()).toMatchObject({ State: 'unblocked' });
  });

  it.each([
    ['EnableSnapshotBlockPublicAccess', {}, 'MissingParameter', 'The request must contain the parameter State'],
    ['EnableSnapshotBlockPublicAccess', { State: 'unblocked' }, 'InvalidParameterValue', 'Value (unblocked) for parameter State is invalid.'],
    ['EnableSnapshotBlockPublicAccess', { State: 'block-all-sharing', DryRun: true }, 'DryRunOperation', undefined],
    ['DisableSnapshotBlockPublicAccess', { DryRun: true }, 'DryRunOperation', undefined],
    ['GetSnapshotBlockPublicAccessState', { DryRun: true }, 'DryRunOperation', undefined],
  ])('refuses %s %j', async (action, input, code, message) => {
    await expect(call(action, input)).rejects.toMatchObject(message === undefined ? { code } : { code, message });
  }); // prettier-ignore
});

describe('block public access for images', () => {
  const state = (fields = {}) => call('GetImageBlockPublicAccessState', {}, fields);

  it('is on in a new account, and goes off and on for one account in one Region', async () => {
    expect(await state()).toEqual({ ImageBlockPublicAccessState: 'block-new-sharing', ManagedBy: 'account' });
    expect(await call('DisableImageBlockPublicAccess')).toEqual({ ImageBlockPublicAccessState: 'unblocked' });
    expect(await state()).toMatchObject({ ImageBlockPublicAccessState: 'unblocked' });
    expect(await state({ region: 'us-east-1' })).toMatchObject({ ImageBlockPublicAccessState: 'block-new-sharing' });
    const blocked = { ImageBlockPublicAccessState: 'block-new-sharing' };
    expect(await call('EnableImageBlockPublicAccess', blocked)).toEqual(blocked);
    expect(await state()).toMatchObject(blocked);
  });

  it.each([
    ['EnableImageBlockPublicAccess', {}, 'MissingParameter'],
    ['EnableImageBlockPublicAccess', { ImageBlockPublicAccessState: 'unblocked' }, 'InvalidParameterValue'],
    ['EnableImageBlockPublicAccess', { ImageBlockPublicAccessState: 'block-new-sharing', DryRun: true }, 'DryRunOperation'],
    ['DisableImageBlockPublicAccess', { DryRun: true }, 'DryRunOperation'],
    ['GetImageBlockPublicAccessState', { DryRun: true }, 'DryRunOperation'],
  ])('refuses %s %j', async (action, input, code) => {
    await expect(call(action, input)).rejects.toMatchObject({ code });
  }); // prettier-ignore
});
