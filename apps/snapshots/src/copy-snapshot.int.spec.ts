import type { ec2 } from '@holdfast/aws-protocol';
import { region, type SnapshotRecord } from '@holdfast/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { CONTEXT, EC2, ROOT, SnapshotsStack } from './testing/snapshots-stack.ts';

const snapshots = new SnapshotsStack();
beforeAll(() => snapshots.start(inject('postgresAdminUrl')));
beforeEach(snapshots.forget);
afterAll(() => snapshots.close());
const { kms, dataPlane, finish, call, create, copy, describeAll, describeOne, settled, ready } = snapshots;

describe('CopySnapshot', () => {
  it('checks the key as the caller, then has its own data key and reads the source under grants', async () => {
    const [from, to] = [kms.key(), kms.key('alias/to')];
    const sourceId = await ready(from);
    const source = await call<SnapshotRecord>('GetSnapshot', { snapshotId: sourceId });
    dataPlane.next = { state: 'copying', progress: 50 };
    const { SnapshotId = '' } = await copy({ SourceSnapshotId: sourceId, KmsKeyId: 'alias/to', Description: 'copy' });
    await expect.poll(() => dataPlane.copies.has(SnapshotId)).toBe(true);
    const forwarded = { principal: ROOT, viaService: EC2, region: 'eu-central-1' };
    const grant = (KeyId: string, context: object, purpose: string) => ({
      action: 'CreateGrant',
      input: {
        KeyId,
        GranteePrincipal: EC2,
        RetiringPrincipal: EC2,
        Operations: ['Decrypt'],
        Constraints: { EncryptionContextEquals: context },
        Name: `ebs-copy-${SnapshotId}-${purpose}`,
      },
      ...forwarded,
    });
    const own = { [CONTEXT]: SnapshotId };
    expect(kms.calls).toEqual([
      { action: 'DescribeKey', input: { KeyId: 'alias/to' }, ...forwarded },
      {
        action: 'GenerateDataKeyWithoutPlaintext',
        input: { KeyId: to, NumberOfBytes: 64, EncryptionContext: own },
        ...forwarded,
      },
      grant(to, own, 'destination'),
      grant(from, source.dataKey?.encryptionContext ?? {}, 'source'),
    ]);
    expect(kms.grants.size).toBe(2);
    expect(dataPlane.copies.get(SnapshotId)).toMatchObject({
      source: { snapshotId: sourceId, dataKey: { ...source.dataKey, principal: { arn: EC2 } } },
      dataKey: { keyArn: to, encryptionContext: own, principal: { arn: EC2 } },
    });
    finish(SnapshotId);
    await settled(SnapshotId);
    expect(kms.grants.size).toBe(0);
    expect(await describeOne(SnapshotId)).toMatchObject({
      VolumeId: 'vol-ffffffff',
      VolumeSize: 2,
      Description: 'copy',
      Encrypted: true,
      KmsKeyId: to,
      TransferType: 'standard',
    });
  });

  it('uses no key when neither side has one', async () => {
    const { SnapshotId } = await copy({ SourceSnapshotId: await ready() });
    await settled(SnapshotId);
    expect(kms.take()).toEqual([]);
  });

  it('goes to another Region under a key of that Region', async () => {
    const from = kms.key();
    const to = kms.key(undefined, 'us-east-1');
    const sourceId = await ready(from);
    const there = { region: region('us-east-1') };
    const { SnapshotId = '' } = await copy(
      { SourceSnapshotId: sourceId, KmsKeyId: to, DestinationRegion: 'us-east-1' },
      there,
    );
    await settled(SnapshotId, 'completed', there);
    const grants = kms.calls.filter(({ action }) => action === 'CreateGrant');
    expect(grants.map(({ region: where, viaService, input }) => [where, viaService, input['KeyId']])).toEqual([
      ['us-east-1', 'ec2.us-east-1.amazonaws.com', to],
      ['eu-central-1', EC2, from],
    ]);
    expect(kms.grants.size).toBe(0);
    expect((await describeAll({ OwnerIds: ['self'] }, there)).Snapshots).toHaveLength(1);
    await expect(describeOne(SnapshotId)).rejects.toMatchObject({ code: 'InvalidSnapshot.NotFound' });
  });

  it('fails later for a source that is absent, not completed, or in another Region', async () => {
    dataPlane.next = { state: 'copying', progress: 0 };
    const { SnapshotId: pending } = await create();
    const cases: [Partial<ec2.CopySnapshotRequest>, string][] = [
      [{ SourceSnapshotId: 'snap-0123456789abcdef0' }, 'Source snapshot is not found'],
      [{ SourceSnapshotId: pending, SourceRegion: 'us-east-1' }, 'Source snapshot is not found'],
      [{ SourceSnapshotId: pending }, 'Source snapshot is not complete'],
    ];
    for (const [input, StateMessage] of cases) {
      const { SnapshotId } = await copy(input);
      expect(await describeOne(await settled(SnapshotId, 'error'))).toMatchObject({ State: 'error', StateMessage });
    }
    finish(pending ?? '');
  });

  it("fails later for a source whose key can't be used, and leaves no grant", async () => {
    const [from, to] = [kms.key(), kms.key()];
    const sourceId = await ready(from);
    kms.disable(from);
    const { SnapshotId } = await copy({ SourceSnapshotId: sourceId, KmsKeyId: to });
    const id = await settled(SnapshotId, 'error');
    expect(await describeOne(id)).toMatchObject({ StateMessage: 'Given key ID is not accessible' });
    await expect.poll(() => kms.grants.size).toBe(0);
    await expect.poll(() => dataPlane.calls).toContain('RemoveSnapshot');
  });

  it.each([
    'GenerateDataKeyWithoutPlaintext',
    'CreateGrant',
    'StartSnapshotCopy',
    'RetireGrant',
    'GetSnapshotProgress',
  ])('comes to the same when the answer to %s is lost', async (lost) => {
    const [from, to] = [kms.key(), kms.key()];
    const sourceId = await ready(from);
    const times = snapshots.loseAnswerTo(lost);
    const { SnapshotId = '' } = await copy({ SourceSnapshotId: sourceId, KmsKeyId: to });
    await settled(SnapshotId);
    expect(times()).toBeGreaterThan(0);
    expect(kms.grants.size).toBe(0);
    const { dataKey } = await call<SnapshotRecord>('GetSnapshot', { snapshotId: SnapshotId });
    expect(dataPlane.copies.get(SnapshotId)).toMatchObject({
      dataKey: { encryptedDataKey: dataKey?.encryptedDataKey },
    });
  });

  it.each(['CreateGrant', 'StartSnapshotCopy', 'GetSnapshotDataKey'])(
    'incremental to the one before comes to the same when the answer to %s is lost',
    async (lost) => {
      const [from, to] = [kms.key(), kms.key()];
      const sourceId = await ready(from);
      const copied = async () => settled((await copy({ SourceSnapshotId: sourceId, KmsKeyId: to })).SnapshotId);
      const first = await call<SnapshotRecord>('GetSnapshot', { snapshotId: await copied() });
      const times = snapshots.loseAnswerTo(lost);
      const second = await call<SnapshotRecord>('GetSnapshot', { snapshotId: await copied() });
      expect(times()).toBeGreaterThan(0);
      expect(kms.grants.size).toBe(0);
      const [one, other] = [first, second].map(({ dataKey }) => kms.dataKeyOf(dataKey?.encryptedDataKey ?? ''));
      expect(other).toBe(one);
      expect(second.dataKey?.encryptionContext).toEqual({ [CONTEXT]: second.snapshotId });
    },
  );

  it.each<[string, () => Promise<Partial<ec2.CopySnapshotRequest>>, string, string?]>([
    ['no source', async () => Promise.resolve({}), 'MissingParameter', 'The request must contain the parameter SourceSnapshotId'],
    ['a malformed source', async () => Promise.resolve({ SourceSnapshotId: 'x' }), 'InvalidParameterValue', 'The specified snapshotId is invalid'],
    ['an unknown Region', async () => ({ SourceSnapshotId: await ready(), SourceRegion: 'eu-nowhere-1' }), 'InvalidRegion', 'eu-nowhere-1 is not a valid region name.'],
    ['another destination', async () => ({ SourceSnapshotId: await ready(), DestinationRegion: 'us-east-1' }), 'InvalidParameterValue', "DestinationRegion 'us-east-1' does not match the current region (eu-central-1)"],
    ['a wrong duration', async () => ({ SourceSnapshotId: await ready(), CompletionDurationMinutes: 20 }), 'InvalidParameterValue', "'20' is not a valid value for completion duration. Specify a value between 15 and 2880 minutes, in 15 minute increments only"],
    ['a duration', async () => ({ SourceSnapshotId: await ready(), CompletionDurationMinutes: 30 }), 'UnsupportedOperation'],
    ['a presigned URL of something else', async () => ({ SourceSnapshotId: await ready(), PresignedUrl: 'https://ec2/?Action=CopySnapshot' }), 'InvalidParameterValue'],
    ['an absent key', async () => ({ SourceSnapshotId: await ready(), KmsKeyId: 'alias/none' }), 'InvalidParameterValue', 'The specified keyId alias/none is invalid'],
    ['a dry run', async () => ({ SourceSnapshotId: await ready(), KmsKeyId: 'alias/none', DryRun: true }), 'DryRunOperation'],
  ])('refuses %s', async (_name, input, code, message) => {
    await expect(copy(await input())).rejects.toMatchObject(message === undefined ? { code } : { code, message });
  }); // prettier-ignore

  it('refuses a disabled key at once', async () => {
    const key = kms.key();
    kms.disable(key);
    await expect(copy({ SourceSnapshotId: await ready(), KmsKeyId: key })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
      message: `The specified keyId ${key} is disabled`,
    });
  });

  it('takes the presigned URL that official clients send', async () => {
    const SourceSnapshotId = await ready();
    const query = `Action=CopySnapshot&SourceSnapshotId=${SourceSnapshotId}&DestinationRegion=eu-central-1&X-Amz-Signature=0`;
    await settled(
      (await copy({ SourceSnapshotId, PresignedUrl: `https://ec2.eu-central-1.amazonaws.com/?${query}` })).SnapshotId,
    );
  });
});
