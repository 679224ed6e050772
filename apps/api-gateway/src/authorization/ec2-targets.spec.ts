import { describe, expect, it } from 'vitest';
import type { ResourceFacts } from './access-target.ts';
import { ec2Targets } from './ec2-targets.ts';

const caller = { accountId: '111122223333', region: 'eu-central-1' };
const PROFILE = 'arn:aws:iam::111122223333:instance-profile/web';
const ROLE = 'arn:aws:iam::111122223333:role/web';
const facts: ResourceFacts = {
  iamResource: () => Promise.resolve(null),
  tagsOf: (id) => Promise.resolve(id === 'vol-1' ? { stage: 'test' } : ({} as Record<string, string>)),
  attributesOf: (kind, id) =>
    Promise.resolve(kind === 'volume' && id === 'vol-1' ? { 'ec2:Encrypted': true, 'ec2:VolumeSize': 8 } : {}),
  imageVolumes: (id) =>
    Promise.resolve(
      id === 'ami-1'
        ? [{ deviceName: '/dev/xvda', snapshotId: 'snap-1', encrypted: true, sizeGiB: 8, volumeType: 'gp3' }]
        : [],
    ),
  keyPair: (wanted) =>
    Promise.resolve('id' in wanted || wanted.name === 'ada' ? { name: 'ada', keyType: 'rsa', tags: { k: 'v' } } : null),
  instanceProfile: (wanted) =>
    Promise.resolve('name' in wanted && wanted.name === 'web' ? { arn: PROFILE, roleArn: ROLE } : null),
  instanceOfAssociation: (id) => Promise.resolve(id === 'iip-assoc-1' ? 'i-1' : null),
  encryptionByDefault: () => Promise.resolve(false),
  isSnapshotEncrypted: (id) => Promise.resolve(id === 'snap-encrypted'),
};
const ARN = 'arn:aws:ec2:eu-central-1';
const resources = async (operation: string, input: Record<string, unknown>) =>
  (await ec2Targets(operation, input, caller, facts)).map(({ action, resource }) => `${action} ${resource}`);

describe('what an EC2 call needs', () => {
  it.each([
    ['DescribeVolumes', {}, ['ec2:DescribeVolumes *']],
    ['EnableEbsEncryptionByDefault', {}, ['ec2:EnableEbsEncryptionByDefault *']],
    ['DeleteVolume', { VolumeId: 'vol-1' }, [`ec2:DeleteVolume ${ARN}:111122223333:volume/vol-1`]],
    ['DeleteSnapshot', { SnapshotId: 'snap-1' }, [`ec2:DeleteSnapshot ${ARN}::snapshot/snap-1`]],
    [
      'AttachVolume',
      { VolumeId: 'vol-1', InstanceId: 'i-1' },
      [`ec2:AttachVolume ${ARN}:111122223333:volume/vol-1`, `ec2:AttachVolume ${ARN}:111122223333:instance/i-1`],
    ],
    [
      'CreateVolume',
      { SnapshotId: 'snap-1', TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'a', Value: 'b' }] }] },
      [
        `ec2:CreateVolume ${ARN}:111122223333:volume/*`,
        `ec2:CreateVolume ${ARN}::snapshot/snap-1`,
        `ec2:CreateTags ${ARN}:111122223333:volume/*`,
      ],
    ],
    [
      'CreateSnapshot',
      { VolumeId: 'vol-1' },
      [`ec2:CreateSnapshot ${ARN}::snapshot/*`, `ec2:CreateSnapshot ${ARN}:111122223333:volume/vol-1`],
    ],
    [
      'CopySnapshot',
      { SourceSnapshotId: 'snap-1', SourceRegion: 'us-east-1' },
      [`ec2:CopySnapshot ${ARN}::snapshot/*`, 'ec2:CopySnapshot arn:aws:ec2:us-east-1::snapshot/snap-1'],
    ],
    [
      'TerminateInstances',
      { InstanceIds: ['i-1', 'i-2'] },
      [
        `ec2:TerminateInstances ${ARN}:111122223333:instance/i-1`,
        `ec2:TerminateInstances ${ARN}:111122223333:instance/i-2`,
      ],
    ],
    [
      'CreateTags',
      { Resources: ['vol-1', 'snap-1'], Tags: [{ Key: 'a' }] },
      [`ec2:CreateTags ${ARN}:111122223333:volume/vol-1`, `ec2:CreateTags ${ARN}::snapshot/snap-1`],
    ],
    [
      'RunInstances',
      {
        ImageId: 'ami-1',
        SecurityGroupIds: ['sg-1'],
        BlockDeviceMappings: [{ DeviceName: '/dev/sdf', Ebs: { SnapshotId: 'snap-2' } }],
      },
      [
        `ec2:RunInstances ${ARN}::image/ami-1`,
        `ec2:RunInstances ${ARN}:111122223333:instance/*`,
        `ec2:RunInstances ${ARN}:111122223333:network-interface/*`,
        `ec2:RunInstances ${ARN}:111122223333:security-group/sg-1`,
        `ec2:RunInstances ${ARN}:111122223333:subnet/*`,
        `ec2:RunInstances ${ARN}:111122223333:volume/*`,
        `ec2:RunInstances ${ARN}:111122223333:volume/*`,
        `ec2:RunInstances ${ARN}::snapshot/snap-2`,
      ],
    ],
    [
      'CreateImage',
      { InstanceId: 'i-1', TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'a', Value: 'b' }] }] },
      [
        `ec2:CreateImage ${ARN}::image/*`,
        `ec2:CreateImage ${ARN}:111122223333:instance/i-1`,
        `ec2:CreateImage ${ARN}::snapshot/*`,
        `ec2:CreateTags ${ARN}::snapshot/*`,
      ],
    ],
    [
      'CopyImage',
      { SourceImageId: 'ami-1', SourceRegion: 'us-east-1' },
      [
        `ec2:CopyImage ${ARN}::image/*`,
        'ec2:CopyImage arn:aws:ec2:us-east-1::image/ami-1',
        `ec2:CopyImage ${ARN}::snapshot/*`,
      ],
    ],
    [
      'RegisterImage',
      { BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: 'snap-1' } }] },
      [`ec2:RegisterImage ${ARN}::image/*`, `ec2:RegisterImage ${ARN}::snapshot/snap-1`],
    ],
    ['DeregisterImage', { ImageId: 'ami-1' }, [`ec2:DeregisterImage ${ARN}::image/ami-1`]],
    [
      'DeregisterImage',
      { ImageId: 'ami-1', DeleteAssociatedSnapshots: true },
      [`ec2:DeregisterImage ${ARN}::image/ami-1`, `ec2:DeleteSnapshot ${ARN}::snapshot/snap-1`],
    ],
    ...[
      'EnableImage',
      'DisableImage',
      'EnableImageDeprecation',
      'DisableImageDeregistrationProtection',
      'RestoreImageFromRecycleBin',
    ].map((operation): [string, object, string[]] => [
      operation,
      { ImageId: 'ami-1' },
      [`ec2:${operation} ${ARN}::image/ami-1`],
    ]),
    ['EnableImageBlockPublicAccess', {}, ['ec2:EnableImageBlockPublicAccess *']],
    ['ListImagesInRecycleBin', {}, ['ec2:ListImagesInRecycleBin *']],
    ['ListVolumesInRecycleBin', {}, [`ec2:ListVolumesInRecycleBin ${ARN}:111122223333:volume/*`]],
    [
      'RestoreVolumeFromRecycleBin',
      { VolumeId: 'vol-1' },
      [`ec2:RestoreVolumeFromRecycleBin ${ARN}:111122223333:volume/vol-1`],
    ],
    ['ModifyImageAttribute', { ImageId: 'ami-1' }, [`ec2:ModifyImageAttribute ${ARN}::image/ami-1`]],
    ['DescribeVpcs', {}, ['ec2:DescribeVpcs *']],
    ['MonitorInstances', { InstanceIds: ['i-1'] }, [`ec2:MonitorInstances ${ARN}:111122223333:instance/i-1`]],
    [
      'CreateKeyPair',
      { KeyName: 'eve', TagSpecifications: [{ ResourceType: 'key-pair', Tags: [{ Key: 'a', Value: 'b' }] }] },
      [`ec2:CreateKeyPair ${ARN}:111122223333:key-pair/eve`, `ec2:CreateTags ${ARN}:111122223333:key-pair/*`],
    ],
    ['ImportKeyPair', { KeyName: 'eve' }, [`ec2:ImportKeyPair ${ARN}:111122223333:key-pair/eve`]],
    ['DeleteKeyPair', { KeyName: 'eve' }, [`ec2:DeleteKeyPair ${ARN}:111122223333:key-pair/eve`]],
    ['DeleteKeyPair', { KeyPairId: 'key-1' }, [`ec2:DeleteKeyPair ${ARN}:111122223333:key-pair/ada`]],
    ['DeleteTags', { Resources: ['key-1'] }, [`ec2:DeleteTags ${ARN}:111122223333:key-pair/ada`]],
    [
      'AssociateIamInstanceProfile',
      { InstanceId: 'i-1', IamInstanceProfile: { Name: 'web' } },
      [`ec2:AssociateIamInstanceProfile ${ARN}:111122223333:instance/i-1`, `iam:PassRole ${ROLE}`],
    ],
    [
      'ReplaceIamInstanceProfileAssociation',
      { AssociationId: 'iip-assoc-1', IamInstanceProfile: { Name: 'web' } },
      [`ec2:ReplaceIamInstanceProfileAssociation ${ARN}:111122223333:instance/i-1`, `iam:PassRole ${ROLE}`],
    ],
    [
      'DisassociateIamInstanceProfile',
      { AssociationId: 'iip-assoc-2' },
      [`ec2:DisassociateIamInstanceProfile ${ARN}:111122223333:instance/*`],
    ],
  ])('%s %j', async (operation, input, expected) => {
    expect(await resources(operation, input)).toEqual(expected);
  });

  it('tells policies what the volume will be like', async () => {
    const input = { AvailabilityZone: 'eu-central-1a', Encrypted: true, Size: 8, VolumeType: 'gp3', Iops: 3000 };
    const [volume] = await ec2Targets('CreateVolume', input, caller, facts);
    expect(volume?.context).toMatchObject({
      'ec2:Encrypted': true,
      'ec2:VolumeSize': 8,
      'ec2:VolumeType': 'gp3',
      'ec2:VolumeIops': 3000,
      'ec2:AvailabilityZone': 'eu-central-1a',
      'ec2:Region': 'eu-central-1',
    });
    const byDefault = { ...facts, encryptionByDefault: () => Promise.resolve(true) };
    expect((await ec2Targets('CreateVolume', {}, caller, byDefault))[0]?.context).toMatchObject({
      'ec2:Encrypted': true,
    });
    expect((await ec2Targets('CreateVolume', {}, caller, facts))[0]?.context).toMatchObject({ 'ec2:Encrypted': false });
  });

  it('tells policies what each volume of a launch will be like', async () => {
    const volumes = async (more: object, theFacts = facts) =>
      (await ec2Targets('RunInstances', { ImageId: 'ami-1', ...more }, caller, theFacts))
        .filter(({ resource }) => resource.endsWith(':volume/*'))
        .map(({ context = {} }) => [context['ec2:Encrypted'], context['ec2:VolumeSize'], context['ec2:VolumeType']]);
    expect(await volumes({})).toEqual([[true, 8, 'gp3']]);
    const plain = { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1 } };
    const larger = { DeviceName: '/dev/xvda', Ebs: { VolumeSize: 20, VolumeType: 'gp2' } };
    expect(await volumes({ BlockDeviceMappings: [plain, larger] })).toEqual([
      [true, 20, 'gp2'],
      [false, 1, 'gp2'],
    ]);
    expect(await volumes({ BlockDeviceMappings: [{ DeviceName: '/dev/xvda', NoDevice: '' }] })).toEqual([]);
    const byDefault = { ...facts, encryptionByDefault: () => Promise.resolve(true) };
    expect(await volumes({ BlockDeviceMappings: [plain] }, byDefault)).toEqual([
      [true, 8, 'gp3'],
      [true, 1, 'gp2'],
    ]);
  });

  it('asks a launch for its key pair, and to pass the role of its profile to EC2', async () => {
    const input = { ImageId: 'ami-2', KeyName: 'ada', IamInstanceProfile: { Name: 'web' } };
    const targets = await ec2Targets('RunInstances', input, caller, facts);
    expect(targets.filter(({ resource }) => /instance.\*|key-pair|role/.test(resource))).toMatchObject([
      { action: 'ec2:RunInstances', context: { 'ec2:InstanceProfile': PROFILE } },
      {
        action: 'ec2:RunInstances',
        resource: `${ARN}:111122223333:key-pair/ada`,
        context: { 'ec2:KeyPairName': 'ada', 'ec2:KeyPairType': 'rsa', 'aws:ResourceTag/k': 'v' },
      },
      {
        action: 'iam:PassRole',
        resource: ROLE,
        context: {
          'iam:PassedToService': 'ec2.amazonaws.com',
          'iam:AssociatedResourceArn': `${ARN}:111122223333:instance/*`,
        },
      },
    ]);
    const unknown = { ImageId: 'ami-2', IamInstanceProfile: { Name: 'nobody' } };
    expect((await ec2Targets('RunInstances', unknown, caller, facts)).map(({ action }) => action)).not.toContain(
      'iam:PassRole',
    );
  });

  it('tells policies the tags of the resource and those of the request', async () => {
    const [volume] = await ec2Targets(
      'CreateTags',
      { Resources: ['vol-1'], Tags: [{ Key: 'a', Value: 'b' }] },
      caller,
      facts,
    );
    expect(volume?.context).toMatchObject({
      'aws:ResourceTag/stage': 'test',
      'ec2:ResourceTag/stage': 'test',
      'aws:RequestTag/a': 'b',
      'aws:TagKeys': ['a'],
    });
  });
});

describe('a volume from a snapshot', () => {
  it.each([
    ['snap-encrypted', true],
    ['snap-1', false],
  ])('%s is encrypted to policies if it will be: %s', async (SnapshotId, encrypted) => {
    const [volume] = await ec2Targets('CreateVolume', { SnapshotId }, caller, facts);
    expect(volume?.context).toMatchObject({ 'ec2:Encrypted': encrypted });
  });
});

describe('a launch that names another snapshot than its image', () => {
  it.each([
    ['snap-encrypted', true],
    ['snap-1', false],
  ])('%s has a volume that is encrypted to policies if it will be: %s', async (SnapshotId, encrypted) => {
    const input = { ImageId: 'ami-1', BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId } }] };
    const volume = (await ec2Targets('RunInstances', input, caller, facts)).find(({ resource }) =>
      resource.endsWith(':volume/*'),
    );
    expect(volume?.context).toMatchObject({ 'ec2:Encrypted': encrypted });
  });
});

describe('what exists', () => {
  it.each([
    ['DeleteVolume', { VolumeId: 'vol-1' }, { 'ec2:VolumeID': 'vol-1' }],
    ['DeleteSnapshot', { SnapshotId: 'snap-1' }, { 'ec2:SnapshotID': 'snap-1' }],
    ['EnableImage', { ImageId: 'ami-1' }, { 'ec2:ImageID': 'ami-1' }],
  ])('is named by its id to the policies of %s', async (operation, input, context) => {
    expect(await ec2Targets(operation, input, caller, facts)).toMatchObject([{ context }]);
  });

  it('is not named where nothing exists yet', async () => {
    const [volume] = await ec2Targets('CreateVolume', { Size: 1 }, caller, facts);
    expect(volume?.context).not.toHaveProperty('ec2:VolumeID');
  });
});

describe('with whom a snapshot or an image is shared', () => {
  const contextOf = async (operation: string, input: Record<string, unknown>) =>
    (await ec2Targets(operation, input, caller, facts)).map(({ context }) => context);
  const [ada, bob] = ['222233334444', '333344445555'];

  it.each([
    [
      'ModifySnapshotAttribute',
      { CreateVolumePermission: { Add: [{ UserId: ada }, { UserId: bob }, { Group: 'all' }] } },
    ],
    ['ModifySnapshotAttribute', { OperationType: 'add', UserIds: [ada, bob], GroupNames: ['all'] }],
    ['ModifyImageAttribute', { LaunchPermission: { Add: [{ UserId: ada }, { UserId: bob }, { Group: 'all' }] } }],
    ['ModifyImageAttribute', { OperationType: 'add', UserIds: [ada, bob], UserGroups: ['all'] }],
  ])('%s says whom it adds', async (operation, input) => {
    expect(await contextOf(operation, input)).toMatchObject([
      {
        ...{ 'ec2:Add/userId': [ada, bob], 'ec2:Add/group': ['all'] },
        ...{ 'ec2:Remove/userId': [], 'ec2:Remove/group': [] },
      },
    ]);
  });

  it.each([
    ['ModifySnapshotAttribute', { CreateVolumePermission: { Remove: [{ UserId: ada }] } }],
    ['ModifyImageAttribute', { OperationType: 'remove', UserIds: [ada] }],
  ])('%s says whom it removes', async (operation, input) => {
    expect(await contextOf(operation, input)).toMatchObject([{ 'ec2:Remove/userId': [ada], 'ec2:Add/userId': [] }]);
  });

  it('says of what exists what it is like', async () => {
    const [volume] = await ec2Targets('DeleteVolume', { VolumeId: 'vol-1' }, caller, facts);
    expect(volume?.context).toMatchObject({
      'ec2:Encrypted': true,
      'ec2:VolumeSize': 8,
      'aws:ResourceTag/stage': 'test',
    });
  });
});
