import { describe, expect, it } from 'vitest';
import { operations } from './operations.ts';
import { SERVICE_IDS } from './services.ts';

describe('what is known of an operation', () => {
  it('tells token, requirements and secrets', () => {
    expect(operations('ec2').get('CreateVolume')).toMatchObject({ readOnly: false, idempotencyToken: 'ClientToken' });
    expect(operations('kms').get('DescribeKey')?.requiredMembers).toEqual(['KeyId']);
    expect(operations('kms').get('GenerateDataKey')?.sensitiveMembers).toContain('Plaintext');
  });
  it('tells which operations carry bytes beside their shape', () => {
    const withPayload = SERVICE_IDS.flatMap((service) =>
      [...operations(service).values()].filter(({ payload }) => payload.in || payload.out).map(({ name }) => name),
    );
    expect(withPayload).toEqual(['GetSnapshotBlock', 'PutSnapshotBlock']);
    expect(operations('ebs').get('PutSnapshotBlock')?.requiredMembers).not.toContain('BlockData');
  });
  it.each([
    ['ec2', 'DescribeVolumes', true],
    ['ec2', 'GetEbsEncryptionByDefault', true],
    ['ec2', 'RunInstances', false],
    ['kms', 'Decrypt', true],
    ['kms', 'GenerateDataKeyWithoutPlaintext', true],
    ['kms', 'CreateGrant', false],
    ['sts', 'GetCallerIdentity', true],
    ['ebs', 'PutSnapshotBlock', false],
    ['cloudtrail', 'LookupEvents', true],
  ] as const)('%s %s only reads: %s', (service, name, readOnly) => {
    expect(operations(service).get(name)?.readOnly).toBe(readOnly);
  });
  it('has no entry for an operation without tables', () => {
    expect(operations('ec2').get('ModifyHosts')).toBeUndefined();
    expect(operations('ec2').get('__proto__')).toBeUndefined();
  });
});
