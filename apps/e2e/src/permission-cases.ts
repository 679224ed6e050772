import * as ebs from '@aws-sdk/client-ebs';
import * as ec2 from '@aws-sdk/client-ec2';
import type { KMSClient } from '@aws-sdk/client-kms';
import { createHash } from 'node:crypto';
import { type TestAccount, ZONE } from './account.ts';
import { eventually } from './clients.ts';

/** What the cases work on: all of it made by the root user. */
export interface Ground {
  readonly root: TestAccount;
  readonly rootEbs: ebs.EBSClient;
  /** Of the source, and of what is made. */
  readonly keyA: string;
  readonly keyB: string;
  /** Under `keyA`, with one block. */
  readonly snapshotId: string;
  /** Another account's, under a key of that account; this one may use the key as far as its users are permitted to. */
  readonly shared: { readonly key: string; readonly snapshotId: string };
  /** Running, and of no volumes. */
  readonly instanceId: string;
}

export interface User {
  readonly ec2: ec2.EC2Client;
  readonly ebs: ebs.EBSClient;
  readonly kms: KMSClient;
}

export interface Outcome {
  readonly requestId: string;
  /** Null: all of it went well, what EC2 does later included. */
  readonly failure: string | null;
}

/** One row of the table of what EBS does at KMS, as a call that a user makes. */
export interface PermissionCase {
  readonly operation: string;
  readonly when: string;
  /** A row whose permissions it needs as well. */
  readonly and?: readonly [operation: string, when: string];
  /** Whether the key of what is made is the source's. */
  readonly sameKey?: boolean;
  /** The key is that of the snapshot that another account shares. */
  readonly sharedKey?: boolean;
  run(user: User, ground: Ground, nth: number): Promise<Outcome>;
}

const BLOCK = Buffer.alloc(524_288, 7);
const CHECKSUM = createHash('sha256').update(BLOCK).digest('base64');

type Metadata = { $metadata?: { requestId?: string } };
const requestOf = (answer: Metadata): string => answer.$metadata?.requestId ?? '';

/** The call's own refusal, or what `settled` says came of it later: null when it went well. */
const outcome = async <Answer extends Metadata>(
  call: Promise<Answer>,
  settled: (answer: Answer) => Promise<string | null> = () => Promise.resolve(null),
): Promise<Outcome> => {
  try {
    const answer = await call;
    return { requestId: requestOf(answer), failure: await settled(answer) };
  } catch (error) {
    return { requestId: requestOf(error as Metadata), failure: (error as Error).name };
  }
};

const volumeSettled =
  ({ root }: Ground) =>
  async ({ VolumeId = '' }: { VolumeId?: string }): Promise<string | null> => {
    const filter = [{ Name: 'volume-id', Values: [VolumeId] }];
    const { Volumes } = await eventually(
      () => root.ec2.send(new ec2.DescribeVolumesCommand({ Filters: filter })),
      (answer) => answer.Volumes?.[0]?.State !== 'creating',
    );
    return Volumes?.[0] === undefined ? 'vanished' : null;
  };

const snapshotSettled =
  ({ root }: Ground) =>
  async ({ SnapshotId = '' }: { SnapshotId?: string }): Promise<string | null> => {
    const { State } = await root.snapshotSettled(SnapshotId);
    return State === 'completed' ? null : String(State);
  };

/** @returns null once it runs; else the state in which it ended. */
const instanceSettled = async ({ root }: Ground, instanceId: string, ended: string): Promise<string | null> => {
  const answer = await eventually(
    () => root.ec2.send(new ec2.DescribeInstancesCommand({ InstanceIds: [instanceId] })),
    ({ Reservations }) => ['running', ended].includes(Reservations?.[0]?.Instances?.[0]?.State?.Name ?? ''),
  );
  const state = answer.Reservations?.[0]?.Instances?.[0]?.State?.Name;
  return state === 'running' ? null : (state ?? '');
};

const volumeUnder = (ground: Ground, key: string) => ground.root.volume({ Size: 1, Encrypted: true, KmsKeyId: key });

const create = (user: User, ground: Ground, input: Partial<ec2.CreateVolumeCommandInput>) =>
  outcome(user.ec2.send(new ec2.CreateVolumeCommand({ AvailabilityZone: ZONE, ...input })), volumeSettled(ground));

const snapshotOf = async ({ root }: Ground, VolumeId: string): Promise<string> => {
  const { SnapshotId = '' } = await root.ec2.send(new ec2.CreateSnapshotCommand({ VolumeId }));
  await root.snapshotSettled(SnapshotId);
  return SnapshotId;
};

/** A volume of each case's own: a copy of the same volume's later snapshot would be an incremental one. */
const sourceVolume = async (ground: Ground, key: string | null): Promise<string> => {
  const { VolumeId } = key === null ? await ground.root.volume({ Size: 1 }) : await volumeUnder(ground, key);
  return VolumeId;
};

const copy = (caller: ec2.EC2Client, ground: Ground, SourceSnapshotId: string): Promise<Outcome> => {
  const input = { SourceSnapshotId, SourceRegion: 'eu-central-1', Encrypted: true, KmsKeyId: ground.keyB };
  return outcome(caller.send(new ec2.CopySnapshotCommand(input)), snapshotSettled(ground));
};

const copyOfNew = async (user: User, ground: Ground, key: string | null): Promise<Outcome> =>
  copy(user.ec2, ground, await snapshotOf(ground, await sourceVolume(ground, key)));

/** Device names that no two cases of one instance share. */
const deviceName = (nth: number): string => `/dev/sd${String.fromCharCode(102 + nth)}`;

const stoppedWithVolume = async (ground: Ground, nth: number): Promise<string> => {
  const { root } = ground;
  const [instanceId, { VolumeId }] = await Promise.all([root.launch(), volumeUnder(ground, ground.keyB)]);
  await root.attach(VolumeId, instanceId, deviceName(nth));
  await root.ec2.send(new ec2.StopInstancesCommand({ InstanceIds: [instanceId] }));
  await eventually(
    () => root.ec2.send(new ec2.DescribeInstancesCommand({ InstanceIds: [instanceId] })),
    ({ Reservations }) => Reservations?.[0]?.Instances?.[0]?.State?.Name === 'stopped',
  );
  return instanceId;
};

const startedUnder = async ({ rootEbs }: Ground, KmsKeyArn: string): Promise<string> => {
  const { SnapshotId = '' } = await rootEbs.send(
    new ebs.StartSnapshotCommand({ VolumeSize: 1, Encrypted: true, KmsKeyArn }),
  );
  return SnapshotId;
};

/** A completed snapshot with one block. */
export const snapshotOfOneBlock = async (rootEbs: ebs.EBSClient, KmsKeyArn: string): Promise<string> => {
  const { SnapshotId = '' } = await rootEbs.send(
    new ebs.StartSnapshotCommand({ VolumeSize: 1, Encrypted: true, KmsKeyArn }),
  );
  await rootEbs.send(new ebs.PutSnapshotBlockCommand(block(SnapshotId)));
  await rootEbs.send(new ebs.CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount: 1 }));
  return SnapshotId;
};

const block = (SnapshotId: string): ebs.PutSnapshotBlockCommandInput => ({
  ...{ SnapshotId, BlockIndex: 0, BlockData: BLOCK, DataLength: BLOCK.length },
  ...{ Checksum: CHECKSUM, ChecksumAlgorithm: 'SHA256' },
});

const EC2_CASES: readonly PermissionCase[] = [
  {
    operation: 'CreateVolume',
    when: 'empty, or from an unencrypted snapshot',
    run: (user, ground) => create(user, ground, { Size: 1, Encrypted: true, KmsKeyId: ground.keyB }),
  },
  {
    operation: 'CreateVolume',
    when: "from one's own snapshot, under its key",
    sameKey: true,
    run: (user, ground) => create(user, ground, { SnapshotId: ground.snapshotId }),
  },
  {
    operation: 'CreateVolume',
    when: 'from a snapshot under another key, or of another account',
    run: (user, ground) =>
      create(user, ground, { SnapshotId: ground.snapshotId, Encrypted: true, KmsKeyId: ground.keyB }),
  },
  {
    operation: 'AttachVolume',
    when: 'to a running or a stopped instance',
    run: async (user, ground, nth) => {
      const { VolumeId } = await volumeUnder(ground, ground.keyB);
      const input = { VolumeId, InstanceId: ground.instanceId, Device: deviceName(nth) };
      return outcome(user.ec2.send(new ec2.AttachVolumeCommand(input)));
    },
  },
  {
    operation: 'StartInstances',
    when: 'with attached volumes',
    run: async (user, ground, nth) => {
      const instanceId = await stoppedWithVolume(ground, nth);
      const call = user.ec2.send(new ec2.StartInstancesCommand({ InstanceIds: [instanceId] }));
      return outcome(call, () => instanceSettled(ground, instanceId, 'stopped'));
    },
  },
  {
    operation: 'RunInstances',
    when: 'as CreateVolume for each of its volumes, and',
    and: ['CreateVolume', 'empty, or from an unencrypted snapshot'],
    run: async (user, ground) => {
      const { Images } = await ground.root.ec2.send(new ec2.DescribeImagesCommand({ Owners: ['amazon'] }));
      const disk = { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, Encrypted: true, KmsKeyId: ground.keyB } };
      const input = { ImageId: Images?.[0]?.ImageId, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 } as const;
      const call = user.ec2.send(new ec2.RunInstancesCommand({ ...input, BlockDeviceMappings: [disk] }));
      return outcome(call, ({ Instances }) => instanceSettled(ground, Instances?.[0]?.InstanceId ?? '', 'terminated'));
    },
  },
  {
    operation: 'CopySnapshot',
    when: 'of an unencrypted snapshot',
    run: (user, ground) => copyOfNew(user, ground, null),
  },
  {
    operation: 'CopySnapshot',
    when: 'of an encrypted snapshot',
    run: (user, ground) => copyOfNew(user, ground, ground.keyA),
  },
  {
    operation: 'CopySnapshot',
    when: 'of a later snapshot of a volume that the last copy under the key is of',
    run: async (user, ground) => {
      const volumeId = await sourceVolume(ground, ground.keyA);
      const { failure } = await copy(ground.root.ec2, ground, await snapshotOf(ground, volumeId));
      if (failure !== null) throw new Error(`the first copy failed: ${failure}`);
      return copy(user.ec2, ground, await snapshotOf(ground, volumeId));
    },
  },
  {
    operation: 'ModifyEbsDefaultKmsKeyId',
    when: '',
    run: (user, { keyB }) => outcome(user.ec2.send(new ec2.ModifyEbsDefaultKmsKeyIdCommand({ KmsKeyId: keyB }))),
  },
  {
    operation: 'CreateSnapshot',
    when: '',
    run: async (user, ground) => {
      const { VolumeId } = await volumeUnder(ground, ground.keyB);
      return outcome(user.ec2.send(new ec2.CreateSnapshotCommand({ VolumeId })), snapshotSettled(ground));
    },
  },
  {
    operation: 'DetachVolume',
    when: '',
    run: async (user, ground, nth) => {
      const { VolumeId } = await volumeUnder(ground, ground.keyB);
      // Apart from the device that AttachVolume's cases use.
      await ground.root.attach(VolumeId, ground.instanceId, deviceName(nth + 8));
      return outcome(user.ec2.send(new ec2.DetachVolumeCommand({ VolumeId })), async () => {
        await ground.root.volumeIn('available', VolumeId);
        return null;
      });
    },
  },
];

const EBS_CASES: readonly PermissionCase[] = [
  {
    operation: 'StartSnapshot',
    when: 'without a parent',
    run: (user, { keyB }) =>
      outcome(user.ebs.send(new ebs.StartSnapshotCommand({ VolumeSize: 1, Encrypted: true, KmsKeyArn: keyB }))),
  },
  {
    operation: 'StartSnapshot',
    when: 'with an encrypted parent, whose key is taken',
    sameKey: true,
    run: (user, { snapshotId }) =>
      outcome(user.ebs.send(new ebs.StartSnapshotCommand({ VolumeSize: 1, ParentSnapshotId: snapshotId }))),
  },
  {
    operation: 'PutSnapshotBlock',
    when: '',
    run: async (user, ground) =>
      outcome(user.ebs.send(new ebs.PutSnapshotBlockCommand(block(await startedUnder(ground, ground.keyB))))),
  },
  {
    operation: 'GetSnapshotBlock',
    when: '',
    sameKey: true,
    run: async (user, { rootEbs, snapshotId: SnapshotId }) => {
      const { Blocks } = await rootEbs.send(new ebs.ListSnapshotBlocksCommand({ SnapshotId }));
      const input = { SnapshotId, BlockIndex: 0, BlockToken: Blocks?.[0]?.BlockToken };
      return outcome(user.ebs.send(new ebs.GetSnapshotBlockCommand(input)), async ({ BlockData }) =>
        BLOCK.equals((await BlockData?.transformToByteArray()) ?? Buffer.alloc(0)) ? null : 'other bytes',
      );
    },
  },
  {
    operation: 'ListSnapshotBlocks',
    when: "of one's own snapshot",
    sameKey: true,
    run: (user, { snapshotId: SnapshotId }) =>
      outcome(user.ebs.send(new ebs.ListSnapshotBlocksCommand({ SnapshotId }))),
  },
  ...(['ListSnapshotBlocks', 'ListChangedBlocks'] as const).map((operation): PermissionCase => ({
    operation,
    when: "of another account's snapshot",
    sharedKey: true,
    run: (user, { shared: { snapshotId } }) =>
      outcome<Metadata>(
        operation === 'ListSnapshotBlocks'
          ? user.ebs.send(new ebs.ListSnapshotBlocksCommand({ SnapshotId: snapshotId }))
          : user.ebs.send(new ebs.ListChangedBlocksCommand({ SecondSnapshotId: snapshotId })),
      ),
  })),
];

export const PERMISSION_CASES: readonly PermissionCase[] = [...EC2_CASES, ...EBS_CASES];
