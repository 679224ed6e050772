import type { RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import { describe, expect, it } from 'vitest';
import { resourceAttributes } from './resource-attributes.ts';

const context = { accountId: '111122223333', region: 'eu-central-1' } as RequestContext;
const asked: unknown[] = [];
const answering = (answers: Readonly<Record<string, unknown>>) =>
  ({
    request: (_service: string, action: string, input: unknown) => {
      asked.push(input);
      return Promise.resolve(answers[action] ?? {});
    },
  }) as unknown as Requests;
const attributes = (kind: string, id: string, answers: Readonly<Record<string, unknown>> = {}) =>
  resourceAttributes(answering(answers), kind, id, context);

describe('what a policy may ask of a resource that exists', () => {
  it('of a volume', async () => {
    const volume = { Encrypted: true, KmsKeyId: 'k', Size: 8, VolumeType: 'gp3', Iops: 3000, SnapshotId: 'snap-1' };
    const found = await attributes('volume', 'vol-1', { DescribeVolumes: { Volumes: [volume] } });
    expect(found).toMatchObject({
      ...{ 'ec2:Encrypted': true, 'ec2:KmsKeyId': 'k', 'ec2:VolumeSize': 8, 'ec2:VolumeType': 'gp3' },
      'ec2:ParentSnapshot': 'arn:aws:ec2:eu-central-1::snapshot/snap-1',
    });
  });

  it('of a snapshot, which is its owner’s', async () => {
    const snapshot = {
      OwnerId: '444455556666',
      VolumeId: 'vol-9',
      VolumeSize: 1,
      StartTime: '2026-03-01T00:00:00.000Z',
    };
    expect(await attributes('snapshot', 'snap-1', { DescribeSnapshots: { Snapshots: [snapshot] } })).toEqual({
      'ec2:Owner': '444455556666',
      'ec2:ParentVolume': 'arn:aws:ec2:eu-central-1:444455556666:volume/vol-9',
      'ec2:SnapshotTime': '2026-03-01T00:00:00.000Z',
      'ec2:VolumeSize': 1,
    });
  });

  it('of an image and of an instance', async () => {
    const image = { OwnerId: '137112412989', ImageOwnerAlias: 'amazon', RootDeviceType: 'ebs' };
    expect(await attributes('image', 'ami-1', { DescribeImages: { Images: [image] } })).toEqual({
      ...{ 'ec2:Owner': 'amazon', 'ec2:RootDeviceType': 'ebs' },
    });
    const instance = { InstanceType: 'm5.large', Placement: { Tenancy: 'default', AvailabilityZone: 'eu-central-1a' } };
    const answers = { DescribeInstances: { Reservations: [{ Instances: [instance] }] } };
    expect(await attributes('instance', 'i-1', answers)).toMatchObject({
      ...{ 'ec2:InstanceType': 'm5.large', 'ec2:Tenancy': 'default', 'ec2:AvailabilityZone': 'eu-central-1a' },
    });
  });

  it('nothing of what is not there, nor of several at once', async () => {
    for (const kind of ['volume', 'snapshot', 'image', 'instance', 'key-pair']) {
      expect(await attributes(kind, 'x-1')).toEqual({});
    }
    asked.length = 0;
    expect(await attributes('volume', '*')).toEqual({});
    expect(asked).toEqual([]);
    await attributes('volume', 'vol-*');
    expect(asked).toEqual([{ Filters: [{ Name: 'volume-id', Values: ['vol-\\*'] }] }]);
  });
});
