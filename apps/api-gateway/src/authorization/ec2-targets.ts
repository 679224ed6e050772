import { type AccessTarget, ec2Arn, type Input, type ResourceFacts, type TargetCaller } from './access-target.ts';
import { CREDENTIAL_TARGETS, keyPairById, launchCredentials } from './credential-targets.ts';
import {
  type Context,
  existing,
  requestTags,
  type Tag,
  tagging,
  tagsFor,
  target,
  type Targets,
  text,
  texts,
} from './ec2-target.ts';
import { SHARING_TARGETS } from './sharing-targets.ts';

/** Actions without resource-level permissions: all Describe and Get, and settings of the account. */
const anything = (action: string): AccessTarget => ({ action: `ec2:${action}`, resource: '*', resourceAccount: null });

/** What comes of no word on encryption: what is encrypted stays so, and all else is as by default. */
const isEncryptedAnyway = async (snapshotId: string | undefined, facts: ResourceFacts): Promise<boolean> =>
  (await facts.encryptionByDefault()) || (snapshotId !== undefined && (await facts.isSnapshotEncrypted(snapshotId)));

const createVolume: Targets = async (input, caller, facts) => {
  const snapshotId = text(input['SnapshotId']);
  const encrypted = input['Encrypted'] === true || (await isEncryptedAnyway(snapshotId, facts));
  const context: Context = {
    ...requestTags(tagsFor(input, 'volume')),
    'ec2:AvailabilityZone': text(input['AvailabilityZone']),
    'ec2:AvailabilityZoneId': text(input['AvailabilityZoneId']),
    'ec2:Encrypted': encrypted,
    'ec2:KmsKeyId': text(input['KmsKeyId']),
    'ec2:ParentSnapshot': snapshotId && ec2Arn(caller, 'snapshot', snapshotId),
    'ec2:VolumeInitializationRate': input['VolumeInitializationRate'] as number | undefined,
    'ec2:VolumeIops': input['Iops'] as number | undefined,
    'ec2:VolumeSize': input['Size'] as number | undefined,
    'ec2:VolumeThroughput': input['Throughput'] as number | undefined,
    'ec2:VolumeType': text(input['VolumeType']) ?? 'gp2',
  };
  return [
    target('CreateVolume', caller, 'volume', '*', context),
    ...(snapshotId === undefined ? [] : [await existing('CreateVolume', caller, 'snapshot', snapshotId, facts)]),
    ...tagging('CreateVolume', input, caller, ['volume']),
  ];
};

const createSnapshot: Targets = async (input, caller, facts) => {
  const volumeId = text(input['VolumeId']) ?? '*';
  const parent = { 'ec2:ParentVolume': ec2Arn(caller, 'volume', volumeId) };
  return [
    target('CreateSnapshot', caller, 'snapshot', '*', { ...requestTags(tagsFor(input, 'snapshot')), ...parent }),
    await existing('CreateSnapshot', caller, 'volume', volumeId, facts),
    ...tagging('CreateSnapshot', input, caller, ['snapshot']),
  ];
};

const createSnapshots: Targets = async (input, caller, facts) => {
  const specification = (input['InstanceSpecification'] ?? {}) as Input;
  return [
    await existing('CreateSnapshots', caller, 'instance', text(specification['InstanceId']) ?? '*', facts),
    target('CreateSnapshots', caller, 'snapshot', '*', requestTags(tagsFor(input, 'snapshot'))),
    target('CreateSnapshots', caller, 'volume', '*'),
    ...tagging('CreateSnapshots', input, caller, ['snapshot']),
  ];
};

const lockSnapshot: Targets = async (input, caller, facts) => [
  await existing('LockSnapshot', caller, 'snapshot', text(input['SnapshotId']) ?? '*', facts, {
    'ec2:SnapshotLockDuration': input['LockDuration'] as number | undefined,
    'ec2:SnapshotCoolOffPeriod': input['CoolOffPeriod'] as number | undefined,
  }),
];

const copySnapshot: Targets = async (input, caller, facts) => {
  const source = { accountId: caller.accountId, region: text(input['SourceRegion']) ?? caller.region };
  return [
    target('CopySnapshot', caller, 'snapshot', '*', requestTags(tagsFor(input, 'snapshot'))),
    await existing('CopySnapshot', source, 'snapshot', text(input['SourceSnapshotId']) ?? '*', facts),
    ...tagging('CopySnapshot', input, caller, ['snapshot']),
  ];
};

/** EC2's BlockDeviceMapping, as far as policies may ask about it. */
interface Mapping {
  DeviceName?: string;
  NoDevice?: string;
  Ebs?: {
    SnapshotId?: string;
    Encrypted?: boolean;
    KmsKeyId?: string;
    VolumeSize?: number;
    VolumeType?: string;
    Iops?: number;
    Throughput?: number;
  };
}

const mappingsOf = (input: Input) => (input['BlockDeviceMappings'] ?? []) as Mapping[];

const encryptedSnapshots = async (mappings: readonly Mapping[], facts: ResourceFacts): Promise<Set<string>> => {
  const ids = [...new Set(mappings.flatMap(({ Ebs }) => text(Ebs?.SnapshotId) ?? []))];
  const encrypted = await Promise.all(ids.map((id) => facts.isSnapshotEncrypted(id)));
  return new Set(ids.filter((_, index) => encrypted[index]));
};

/** Each volume that a launch makes: the image's with the request's changes to them, and the request's own. */
const launchVolumes = async (input: Input, caller: TargetCaller, facts: ResourceFacts): Promise<AccessTarget[]> => {
  const byDefault = await facts.encryptionByDefault();
  const ofSnapshots = await encryptedSnapshots(mappingsOf(input), facts);
  const ofImage = new Map((await facts.imageVolumes(text(input['ImageId']) ?? '')).map((v) => [v.deviceName, v]));
  const asked = new Map(mappingsOf(input).map((mapping) => [mapping.DeviceName ?? '', mapping]));
  const devices = [...new Set([...ofImage.keys(), ...asked.keys()])];
  return devices
    .filter((device) => asked.get(device)?.NoDevice === undefined)
    .map((device) => {
      const [image, { Ebs = {} } = {}] = [ofImage.get(device), asked.get(device)];
      const snapshotId = Ebs.SnapshotId ?? image?.snapshotId;
      // A snapshot that the request names takes the place of the image's.
      const isEncrypted = Ebs.SnapshotId === undefined ? image?.encrypted === true : ofSnapshots.has(Ebs.SnapshotId);
      return target('RunInstances', caller, 'volume', '*', {
        ...requestTags(tagsFor(input, 'volume')),
        'ec2:Encrypted': Ebs.Encrypted === true || byDefault || isEncrypted,
        'ec2:KmsKeyId': text(Ebs.KmsKeyId),
        'ec2:ParentSnapshot': snapshotId && ec2Arn(caller, 'snapshot', snapshotId),
        'ec2:VolumeIops': Ebs.Iops,
        'ec2:VolumeSize': Ebs.VolumeSize ?? image?.sizeGiB,
        'ec2:VolumeThroughput': Ebs.Throughput,
        'ec2:VolumeType': text(Ebs.VolumeType) ?? image?.volumeType ?? 'gp2',
      });
    });
};

/** Snapshots that the request names; those of an image come with the permission to launch from it. */
const namedSnapshots = (action: string, input: Input, caller: TargetCaller, facts: ResourceFacts) => {
  const ids = mappingsOf(input).flatMap(({ Ebs }) => text(Ebs?.SnapshotId) ?? []);
  return Promise.all([...new Set(ids)].map((id) => existing(action, caller, 'snapshot', id, facts)));
};

const runInstances: Targets = async (input, caller, facts) => {
  const { instanceProfile, targets } = await launchCredentials(input, caller, facts);
  const context = {
    'ec2:InstanceProfile': instanceProfile,
    'ec2:InstanceType': text(input['InstanceType']) ?? 'm1.small',
    'ec2:RootDeviceType': 'ebs',
    'ec2:Tenancy': text((input['Placement'] as Input | undefined)?.['Tenancy']) ?? 'default',
    ...requestTags(tagsFor(input, 'instance')),
  };
  const groups = texts(input['SecurityGroupIds']);
  return [
    await existing('RunInstances', caller, 'image', text(input['ImageId']) ?? '*', facts),
    target('RunInstances', caller, 'instance', '*', context),
    target('RunInstances', caller, 'network-interface', '*'),
    ...(groups.length === 0 ? ['*'] : groups).map((id) => target('RunInstances', caller, 'security-group', id)),
    target('RunInstances', caller, 'subnet', text(input['SubnetId']) ?? '*'),
    ...(await launchVolumes(input, caller, facts)),
    ...(await namedSnapshots('RunInstances', input, caller, facts)),
    ...targets,
    ...tagging('RunInstances', input, caller, ['instance', 'volume']),
  ];
};

const newImage = (action: string, input: Input, caller: TargetCaller) => [
  target(action, caller, 'image', '*', requestTags(tagsFor(input, 'image'))),
];

const registerImage: Targets = async (input, caller, facts) => [
  ...newImage('RegisterImage', input, caller),
  ...(await namedSnapshots('RegisterImage', input, caller, facts)),
  ...tagging('RegisterImage', input, caller, ['image']),
];

const createImage: Targets = async (input, caller, facts) => [
  ...newImage('CreateImage', input, caller),
  await existing('CreateImage', caller, 'instance', text(input['InstanceId']) ?? '*', facts),
  target('CreateImage', caller, 'snapshot', '*', requestTags(tagsFor(input, 'snapshot'))),
  ...tagging('CreateImage', input, caller, ['image', 'snapshot']),
];

const copyImage: Targets = async (input, caller, facts) => {
  const source = { accountId: caller.accountId, region: text(input['SourceRegion']) ?? caller.region };
  return [
    ...newImage('CopyImage', input, caller),
    await existing('CopyImage', source, 'image', text(input['SourceImageId']) ?? '*', facts),
    target('CopyImage', caller, 'snapshot', '*', requestTags(tagsFor(input, 'snapshot'))),
    ...tagging('CopyImage', input, caller, ['image', 'snapshot']),
  ];
};

/** Of the image's snapshots those are deleted with it that its caller may delete; of the others it is told so. */
const deregisterImage: Targets = async (input, caller, facts) => {
  const imageId = text(input['ImageId']) ?? '*';
  const volumes = input['DeleteAssociatedSnapshots'] === true ? await facts.imageVolumes(imageId) : [];
  const snapshotIds = [...new Set(volumes.flatMap(({ snapshotId }) => snapshotId ?? []))];
  const deletions = snapshotIds.map((id) => existing('DeleteSnapshot', caller, 'snapshot', id, facts));
  return [
    await existing('DeregisterImage', caller, 'image', imageId, facts),
    ...(await Promise.all(deletions)).map((deletion) => ({ ...deletion, answeredApart: true })),
  ];
};

/** The volume and the instance must both be allowed. */
const attachment =
  (action: string): Targets =>
  async (input, caller, facts) => {
    const instanceId = text(input['InstanceId']);
    return [
      await existing(action, caller, 'volume', text(input['VolumeId']) ?? '*', facts),
      ...(instanceId === undefined && action === 'DetachVolume'
        ? []
        : [await existing(action, caller, 'instance', instanceId ?? '*', facts)]),
    ];
  };

const modifyCredits: Targets = (input, caller, facts) => {
  const specifications = (input['InstanceCreditSpecifications'] ?? []) as Input[];
  const ids = specifications.map(({ InstanceId }) => text(InstanceId) ?? '*');
  const action = 'ModifyInstanceCreditSpecification';
  return Promise.all(ids.map((id) => existing(action, caller, 'instance', id, facts)));
};

/** Kind of resource by prefix of its id. */
const KINDS: Readonly<Record<string, string>> = { vol: 'volume', snap: 'snapshot', i: 'instance', ami: 'image' };
const kindOf = (id: string): string => KINDS[id.slice(0, id.indexOf('-'))] ?? '*';

const changeTags =
  (action: string): Targets =>
  (input, caller, facts) =>
    Promise.all(
      texts(input['Resources']).map((id) =>
        id.startsWith('key-')
          ? keyPairById(action, caller, facts, id, requestTags((input['Tags'] ?? []) as Tag[]))
          : existing(action, caller, kindOf(id), id, facts, requestTags((input['Tags'] ?? []) as Tag[])),
      ),
    );

/** One named resource, or each of several. */
const named =
  (action: string, kind: string, member: string): Targets =>
  (input, caller, facts) => {
    const value = input[member];
    const ids = Array.isArray(value) ? texts(value) : [text(value) ?? '*'];
    return Promise.all(ids.map((id) => existing(action, caller, kind, id, facts)));
  };

const NAMED: Readonly<Record<string, readonly [kind: string, member: string]>> = {
  DeleteVolume: ['volume', 'VolumeId'],
  ModifyVolume: ['volume', 'VolumeId'],
  ModifyVolumeAttribute: ['volume', 'VolumeId'],
  EnableVolumeIO: ['volume', 'VolumeId'],
  RestoreVolumeFromRecycleBin: ['volume', 'VolumeId'],
  DeleteSnapshot: ['snapshot', 'SnapshotId'],
  ResetSnapshotAttribute: ['snapshot', 'SnapshotId'],
  RestoreSnapshotFromRecycleBin: ['snapshot', 'SnapshotId'],
  EnableFastSnapshotRestores: ['snapshot', 'SourceSnapshotIds'],
  DisableFastSnapshotRestores: ['snapshot', 'SourceSnapshotIds'],
  UnlockSnapshot: ['snapshot', 'SnapshotId'],
  ModifySnapshotTier: ['snapshot', 'SnapshotId'],
  RestoreSnapshotTier: ['snapshot', 'SnapshotId'],
  StartInstances: ['instance', 'InstanceIds'],
  StopInstances: ['instance', 'InstanceIds'],
  TerminateInstances: ['instance', 'InstanceIds'],
  ModifyInstanceAttribute: ['instance', 'InstanceId'],
  ModifyInstanceMetadataOptions: ['instance', 'InstanceId'],
  MonitorInstances: ['instance', 'InstanceIds'],
  UnmonitorInstances: ['instance', 'InstanceIds'],
  RebootInstances: ['instance', 'InstanceIds'],
  GetConsoleOutput: ['instance', 'InstanceId'],
  EnableImage: ['image', 'ImageId'],
  DisableImage: ['image', 'ImageId'],
  EnableImageDeprecation: ['image', 'ImageId'],
  DisableImageDeprecation: ['image', 'ImageId'],
  EnableImageDeregistrationProtection: ['image', 'ImageId'],
  DisableImageDeregistrationProtection: ['image', 'ImageId'],
  RestoreImageFromRecycleBin: ['image', 'ImageId'],
  ResetImageAttribute: ['image', 'ImageId'],
};

const SPECIAL: Readonly<Record<string, Targets>> = {
  ...CREDENTIAL_TARGETS,
  ...SHARING_TARGETS,
  AttachVolume: attachment('AttachVolume'),
  CopyImage: copyImage,
  CopySnapshot: copySnapshot,
  CreateImage: createImage,
  CreateSnapshot: createSnapshot,
  CreateSnapshots: createSnapshots,
  LockSnapshot: lockSnapshot,
  CreateTags: changeTags('CreateTags'),
  CreateVolume: createVolume,
  DeleteTags: changeTags('DeleteTags'),
  DeregisterImage: deregisterImage,
  DetachVolume: attachment('DetachVolume'),
  // AWS's own example of a policy allows it on volumes, and not on everything.
  ListVolumesInRecycleBin: (_, caller) => Promise.resolve([target('ListVolumesInRecycleBin', caller, 'volume', '*')]),
  ModifyInstanceCreditSpecification: modifyCredits,
  RegisterImage: registerImage,
  RunInstances: runInstances,
};

/**
 * The permissions that an EC2 call needs. An operation that no table names needs its action on `*`, which denies by default.
 * @see Service authorization reference, Amazon EC2
 */
export const ec2Targets = (
  operation: string,
  input: Input,
  caller: TargetCaller,
  facts: ResourceFacts,
): Promise<AccessTarget[]> => {
  const special = SPECIAL[operation];
  if (special) return special(input, caller, facts);
  const row = NAMED[operation];
  return row ? named(operation, ...row)(input, caller, facts) : Promise.resolve([anything(operation)]);
};
