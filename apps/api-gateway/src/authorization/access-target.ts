import type { Target } from '@holdfast/iam';

/** One permission that a call needs: an action on a resource. */
export interface AccessTarget extends Target {
  /** With its vendor, e.g. `ec2:CreateVolume`. */
  readonly action: string;
  /** Null: a resource without an account, or one whose owner decides. */
  readonly resourceAccount: string | null;
  /** Without it the call is carried out all the same, and answers for this resource that it was denied. */
  readonly answeredApart?: boolean;
}

export interface TargetCaller {
  readonly accountId: string;
  readonly region: string;
}

/** A request's input, of which each operation's row knows the members. */
export type Input = Readonly<Record<string, unknown>>;

/** What a policy may ask of a volume that a launch makes. */
export interface ImageVolume {
  readonly deviceName: string;
  readonly snapshotId?: string;
  readonly encrypted: boolean;
  readonly sizeGiB?: number;
  readonly volumeType?: string;
}

export interface KeyPairFacts {
  readonly name: string;
  readonly keyType?: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** What the caller's resources are like, asked only when a policy is evaluated. */
export interface ResourceFacts {
  /** Tags of one of the caller's resources, key to value; empty when there is no such resource. */
  tagsOf(resourceId: string): Promise<Readonly<Record<string, string>>>;
  /** EC2's condition keys of a volume, snapshot, image or instance; empty when the caller sees none of that id. */
  attributesOf(
    kind: string,
    resourceId: string,
  ): Promise<Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>>;
  /** What a name in an IAM call stands for; null: there is no such thing. `name` of a policy is its ARN. */
  iamResource(
    kind: 'user' | 'group' | 'role' | 'instance-profile' | 'policy',
    name: string,
  ): Promise<{ arn: string; tags: Readonly<Record<string, string>> } | null>;
  /** The volumes that an image's instances have; empty when the caller sees no such image. */
  imageVolumes(imageId: string): Promise<readonly ImageVolume[]>;
  /** A key pair of the caller's in the Region. */
  keyPair(wanted: { name: string } | { id: string }): Promise<KeyPairFacts | null>;
  /** An instance profile of the caller's account; `roleArn` null: it has no role. */
  instanceProfile(wanted: { name: string } | { arn: string }): Promise<{ arn: string; roleArn: string | null } | null>;
  /** The caller's instance that has its profile under this association. */
  instanceOfAssociation(associationId: string): Promise<string | null>;
  /** Whether new volumes are encrypted by default. */
  encryptionByDefault(): Promise<boolean>;
  /** Whether a snapshot that the caller may see is encrypted; false of any other. */
  isSnapshotEncrypted(snapshotId: string): Promise<boolean>;
}

/** ARNs of EC2 resources; snapshots and images have no account in theirs. */
export const ec2Arn = ({ accountId, region }: TargetCaller, kind: string, id: string): string => {
  const account = kind === 'snapshot' || kind === 'image' ? '' : accountId;
  return `arn:aws:ec2:${region}:${account}:${kind}/${id}`;
};
