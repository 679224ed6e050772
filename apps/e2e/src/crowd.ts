import {
  AttachVolumeCommand,
  CopySnapshotCommand,
  CreateSnapshotCommand,
  CreateSnapshotsCommand,
  CreateTagsCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';
import { DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms';
import { REGION, ZONE } from './account.ts';
import type { Clients } from './clients.ts';

/** What all clients share. Ids of what is gone stay, so that they are asked for as well. */
export interface Shared {
  /** At least seven to begin with, as of snapshots. */
  readonly volumes: string[];
  readonly snapshots: string[];
  readonly instances: readonly string[];
  readonly keys: readonly string[];
}

/** An answer that no client may get: a failure of the server, or a refusal that the call has no reason for. */
export type Unexpected = `${string}: ${string}`;

export interface Crowd {
  /** Answers by operation and by `ok` or the refusal's code. */
  readonly answers: Readonly<Record<string, number>>;
  readonly unexpected: readonly Unexpected[];
}

/** Mulberry32. @returns numbers from 0 up to, but not including, 1. */
const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

/** Of the ids of a kind, the first ones, which nobody deletes, and the latest ones are fought over. */
const CONTESTED = 6;
/** Between two calls of a client, at most, in milliseconds: time for what was begun to go on. */
const PAUSE_MS = 5_000;
/** How long a key is disabled, at most, in milliseconds. */
const DISABLED_MS = 500;

class Client {
  constructor(
    readonly clients: Pick<Clients, 'ec2' | 'kms'>,
    private readonly random: () => number,
  ) {}

  one<T>(things: readonly T[]): T {
    const chosen = things[Math.floor(this.random() * things.length)];
    if (chosen === undefined) throw new RangeError('nothing to choose from');
    return chosen;
  }

  any(ids: readonly string[]): string {
    return this.isLucky(0.6) ? this.one(ids.slice(0, CONTESTED)) : this.latest(ids);
  }

  latest(ids: readonly string[]): string {
    return this.one(ids.slice(CONTESTED).slice(-CONTESTED));
  }

  pause(longestMs: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.random() * longestMs));
  }

  isLucky(probability: number): boolean {
    return this.random() < probability;
  }
}

interface Operation {
  readonly weight: number;
  /** Codes of the refusals that a well-formed call may meet. */
  readonly refusals: readonly string[];
  readonly run: (client: Client, shared: Shared) => Promise<unknown>;
}

const NO_VOLUME = 'InvalidVolume.NotFound';
const NO_SNAPSHOT = 'InvalidSnapshot.NotFound';
const WRONG_STATE = 'IncorrectState';

const created = (shared: Shared) => ({
  volume: ({ VolumeId = '' }) => shared.volumes.push(VolumeId),
  snapshot: ({ SnapshotId = '' }) => shared.snapshots.push(SnapshotId),
});

const OPERATIONS: Readonly<Record<string, Operation>> = {
  CreateVolume: {
    weight: 4,
    refusals: [NO_SNAPSHOT, WRONG_STATE],
    run: (client, shared) => {
      const shape = client.one([
        { Size: 1 },
        { Size: 4, VolumeType: 'io1' as const, Iops: 100, MultiAttachEnabled: true },
        { SnapshotId: client.any(shared.snapshots) },
        { SnapshotId: client.any(shared.snapshots) },
      ]);
      const encryption = client.isLucky(0.8) ? { Encrypted: true, KmsKeyId: client.one(shared.keys) } : {};
      const command = new CreateVolumeCommand({ AvailabilityZone: ZONE, ...shape, ...encryption });
      return client.clients.ec2.send(command).then(created(shared).volume);
    },
  },
  AttachVolume: {
    weight: 24,
    // InvalidParameterValue: the device name is in use.
    refusals: [NO_VOLUME, WRONG_STATE, 'VolumeInUse', 'CustomerKeyHasBeenRevoked', 'InvalidParameterValue'],
    run: (client, shared) =>
      client.clients.ec2.send(
        new AttachVolumeCommand({
          VolumeId: client.any(shared.volumes),
          InstanceId: client.one(shared.instances),
          Device: `/dev/sd${client.one([...'fghijklm'])}`,
        }),
      ),
  },
  DetachVolume: {
    weight: 24,
    // MissingParameter: of a volume that may be shared the instance has to be named.
    refusals: [NO_VOLUME, WRONG_STATE, 'InvalidAttachment.NotFound', 'MissingParameter'],
    run: (client, shared) => {
      const from = client.isLucky(0.5) ? { InstanceId: client.one(shared.instances) } : {};
      return client.clients.ec2.send(new DetachVolumeCommand({ VolumeId: client.any(shared.volumes), ...from }));
    },
  },
  CreateSnapshot: {
    weight: 3,
    refusals: [NO_VOLUME, WRONG_STATE, 'ConcurrentSnapshotLimitExceeded'],
    run: (client, shared) =>
      client.clients.ec2
        .send(new CreateSnapshotCommand({ VolumeId: client.any(shared.volumes) }))
        .then(created(shared).snapshot),
  },
  CreateSnapshots: {
    weight: 2,
    // InvalidParameterCombination: nothing is attached to the instance.
    refusals: [NO_VOLUME, WRONG_STATE, 'ConcurrentSnapshotLimitExceeded', 'InvalidParameterCombination'],
    run: (client, shared) => {
      const instance = { InstanceId: client.one(shared.instances), ExcludeBootVolume: true };
      const command = new CreateSnapshotsCommand({ InstanceSpecification: instance });
      return client.clients.ec2
        .send(command)
        .then(({ Snapshots = [] }) => Snapshots.forEach((snapshot) => created(shared).snapshot(snapshot)));
    },
  },
  CopySnapshot: {
    weight: 2,
    // InvalidParameterValue: the key is disabled.
    refusals: ['InvalidParameterValue', 'ResourceLimitExceeded'],
    run: (client, shared) => {
      const source = { SourceSnapshotId: client.any(shared.snapshots), SourceRegion: REGION };
      const command = new CopySnapshotCommand({ ...source, Encrypted: true, KmsKeyId: client.one(shared.keys) });
      return client.clients.ec2.send(command).then(created(shared).snapshot);
    },
  },
  DeleteSnapshot: {
    weight: 4,
    refusals: [NO_SNAPSHOT],
    run: (client, shared) =>
      client.clients.ec2.send(new DeleteSnapshotCommand({ SnapshotId: client.latest(shared.snapshots) })),
  },
  DeleteVolume: {
    weight: 5,
    refusals: [NO_VOLUME, WRONG_STATE, 'VolumeInUse'],
    run: (client, shared) =>
      client.clients.ec2.send(new DeleteVolumeCommand({ VolumeId: client.latest(shared.volumes) })),
  },
  DisableKey: {
    weight: 3,
    refusals: [],
    run: async (client, { keys }) => {
      const KeyId = client.one(keys);
      await client.clients.kms.send(new DisableKeyCommand({ KeyId }));
      await client.pause(DISABLED_MS);
      await client.clients.kms.send(new EnableKeyCommand({ KeyId }));
    },
  },
  StopInstances: {
    weight: 1,
    refusals: ['IncorrectInstanceState', WRONG_STATE],
    run: ({ clients }, { instances }) =>
      clients.ec2.send(new StopInstancesCommand({ InstanceIds: instances.slice(0, 1) })),
  },
  StartInstances: {
    weight: 1,
    refusals: ['IncorrectInstanceState', WRONG_STATE],
    run: ({ clients }, { instances }) =>
      clients.ec2.send(new StartInstancesCommand({ InstanceIds: instances.slice(0, 1) })),
  },
  CreateTags: {
    weight: 3,
    refusals: [NO_VOLUME, NO_SNAPSHOT],
    run: (client, shared) => {
      const Resources = [client.any(shared.volumes), client.any(shared.snapshots)];
      const Tags = [{ Key: 'latest', Value: client.one([...'0123456789']) }];
      return client.clients.ec2.send(new CreateTagsCommand({ Resources, Tags }));
    },
  },
  DescribeVolumes: {
    weight: 1,
    refusals: [],
    run: ({ clients }) => clients.ec2.send(new DescribeVolumesCommand({})),
  },
  DescribeSnapshots: {
    weight: 1,
    refusals: [],
    run: ({ clients }) => clients.ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] })),
  },
};

const BY_WEIGHT = Object.entries(OPERATIONS).flatMap(([name, operation]) =>
  Array.from({ length: operation.weight }, () => ({ name, ...operation })),
);

interface ServiceError {
  readonly name: string;
  readonly message: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/**
 * Has every client make its calls, one after the other, while all others make theirs. What each client asks for follows from
 * the seed; who comes first does not.
 */
export const runCrowd = async (
  clients: readonly Pick<Clients, 'ec2' | 'kms'>[],
  callsEach: number,
  seed: number,
  shared: Shared,
): Promise<Crowd> => {
  const answers: Record<string, number> = {};
  const unexpected: Unexpected[] = [];
  const note = (operation: string, code: string) => {
    const answer = `${operation} ${code}`;
    answers[answer] = (answers[answer] ?? 0) + 1;
  };
  const work = async (client: Client) => {
    for (let call = 0; call < callsEach; call++) {
      await client.pause(PAUSE_MS);
      const { name, refusals, run } = client.one(BY_WEIGHT);
      try {
        await run(client, shared);
        note(name, 'ok');
      } catch (error) {
        const { name: code, message, $metadata } = error as ServiceError;
        note(name, code);
        const status = $metadata?.httpStatusCode ?? 0;
        if (status < 400 || status > 499 || !refusals.includes(code))
          unexpected.push(`${name}: ${String(status)} ${code}: ${message}`);
      }
    }
  };
  await Promise.all(clients.map((each, index) => work(new Client(each, seeded(seed * 1009 + index)))));
  return { answers, unexpected };
};
