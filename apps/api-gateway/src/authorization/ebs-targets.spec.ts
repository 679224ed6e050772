import { describe, expect, it } from 'vitest';
import { ebsTargets } from './ebs-targets.ts';

const caller = { accountId: '111122223333', region: 'eu-central-1' };
const arn = (id: string) => `arn:aws:ec2:eu-central-1::snapshot/${id}`;
const facts = { tagsOf: (id: string) => Promise.resolve({ name: id }) };
const targets = (operation: string, input: Record<string, unknown>) => ebsTargets(operation, input, caller, facts);

describe('what a call of EBS direct needs', () => {
  it('its action on the snapshot, with the tags that it has', async () => {
    for (const operation of ['GetSnapshotBlock', 'PutSnapshotBlock', 'CompleteSnapshot', 'ListSnapshotBlocks'])
      expect(await targets(operation, { SnapshotId: 'snap-1' })).toEqual([
        {
          ...{ action: `ebs:${operation}`, resource: arn('snap-1'), resourceAccount: null },
          context: { 'aws:ResourceTag/name': 'snap-1' },
        },
      ]);
  });

  it('on both snapshots, to tell what changed between them', async () => {
    expect(await targets('ListChangedBlocks', { SecondSnapshotId: 'snap-2', FirstSnapshotId: 'snap-1' })).toMatchObject(
      ['snap-2', 'snap-1'].map((id) => ({ resource: arn(id), context: { 'aws:ResourceTag/name': id } })),
    );
    expect(await targets('ListChangedBlocks', { SecondSnapshotId: 'snap-2' })).toHaveLength(1);
  });

  it('on any, where it names none', async () => {
    expect(await targets('ListSnapshotBlocks', {})).toMatchObject([{ resource: arn('*') }]);
  });

  it('to start one like that', async () => {
    const input = { VolumeSize: 8, Description: 'd', ParentSnapshotId: 'snap-1' };
    expect(await targets('StartSnapshot', input)).toEqual([
      {
        ...{ action: 'ebs:StartSnapshot', resource: arn('*'), resourceAccount: null },
        context: {
          ...{ 'ebs:VolumeSize': 8, 'ebs:Description': 'd', 'ebs:ParentSnapshot': arn('snap-1') },
          'aws:TagKeys': [],
        },
      },
    ]);
  });

  it('to tag it, where it is started with tags', async () => {
    const context = { 'aws:RequestTag/k': 'v', 'aws:TagKeys': ['k'] };
    expect(await targets('StartSnapshot', { VolumeSize: 8, Tags: [{ Key: 'k', Value: 'v' }] })).toMatchObject([
      { action: 'ebs:StartSnapshot', resource: arn('*'), context },
      {
        ...{ action: 'ec2:CreateTags', resource: arn('*') },
        context: { ...context, 'ec2:CreateAction': 'StartSnapshot' },
      },
    ]);
  });
});
