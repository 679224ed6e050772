import { createHash, randomUUID } from 'node:crypto';
import type { ebs } from '@holdfast/aws-protocol';
import {
  AwsError,
  callerOf,
  newSnapshotId,
  type RequestContext,
  snapshotId as parsedSnapshotId,
  type SnapshotId,
  type SnapshotRecord,
  volumeId,
  type WrappedDataKey,
} from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import {
  forwardedContext,
  isTokenForgotten,
  parametersHash,
  tagList,
  type Tags,
  tagsOfSpecifications,
} from '@holdfast/ec2';
import { directEncryption } from '../domain/ebs-direct-encryption.ts';
import type { SnapshotStarted } from '../domain/snapshot.events.ts';
import {
  conflict,
  fromDataPlane,
  fromKms,
  invalidParameter,
  invalidRequest,
  tooManyPending,
} from './ebs-direct-errors.ts';
import type { DirectParts } from './ebs-direct-ports.ts';
import { callersKeyUse, ownedSnapshot, sealedToNobody } from './ebs-direct-snapshots.ts';

/** EC2 shows this one for snapshots that are of no volume. */
const NO_VOLUME = volumeId('vol-ffffffff');
const BLOCK_SIZE_BYTES = 524_288;
const MAX_VOLUME_GIB = 65_536;
const MAX_PENDING = 100;
const DEFAULT_TIMEOUT_MINUTES = 60;
/** AES-256-XTS takes two 256-bit keys. */
const DATA_KEY_BYTES = 64;

interface Wish {
  readonly volumeSizeGiB: number;
  readonly description: string;
  readonly tags: Tags;
  readonly timeoutMinutes: number;
  readonly parametersHash: string;
}

/** A snapshot that its client makes of blocks. It is there, and pending, when this answers. */
export class StartSnapshot {
  private readonly underWay = new Map<string, Promise<unknown>>();

  constructor(private readonly parts: DirectParts) {}

  async run(input: ebs.StartSnapshotRequest, context: RequestContext): Promise<ebs.StartSnapshotResponse> {
    const wish = admitted(input);
    if (input.ClientToken === undefined) return this.start(newSnapshotId(), wish, input, context);
    // Requests of one token come one after the other, so that only the first one makes a data key.
    const name = `${context.accountId}/${context.region}/${input.ClientToken}`;
    const before = this.underWay.get(name) ?? Promise.resolve();
    const turn = before.then(() => this.startOnce(name, wish, input, context));
    const settled = turn.catch(() => undefined);
    this.underWay.set(name, settled);
    try {
      return await turn;
    } finally {
      if (this.underWay.get(name) === settled) this.underWay.delete(name);
    }
  }

  private async startOnce(
    name: string,
    wish: Wish,
    input: ebs.StartSnapshotRequest,
    context: RequestContext,
  ): Promise<ebs.StartSnapshotResponse> {
    // A token stands for its snapshot as long as that lives and tokens are remembered; the snapshot's id is made of it.
    for (let life = 0; ; life++) {
      const snapshotId = idOf(name, life);
      const { started, status } = await this.parts.snapshots.load(snapshotId);
      if (started === null) {
        try {
          return await this.start(snapshotId, wish, input, context);
        } catch (error) {
          if (!(error instanceof DomainError) || error.code !== 'SnapshotAlreadyExists') throw error;
          life--; // Another replica was quicker: look again.
          continue;
        }
      }
      if (status === 'deleting' || status === 'gone') continue;
      if (isTokenForgotten(started.at, this.parts.clock.now())) continue;
      if (started.type !== 'SnapshotStarted' || started.direct?.parametersHash !== wish.parametersHash)
        throw conflict();
      return view(started, started.direct.parentSnapshotId);
    }
  }

  private async start(
    snapshotId: SnapshotId,
    wish: Wish,
    input: ebs.StartSnapshotRequest,
    context: RequestContext,
  ): Promise<ebs.StartSnapshotResponse> {
    const { snapshots, requests, clock, pendingUploads } = this.parts;
    if ((await pendingUploads(context)) >= MAX_PENDING) throw tooManyPending();
    const parent = await this.parent(input, context);
    const made = await this.dataKey(snapshotId, input, parent, context);
    const { volumeSizeGiB, timeoutMinutes } = wish;
    const upload = {
      ...{ snapshotId, sizeGiB: volumeSizeGiB, timeoutMinutes, parentSnapshotId: parent?.snapshotId },
      dataKey: made === null ? undefined : callersKeyUse(made, context),
    };
    const { begun } = await requests
      .call('data-plane', 'StartBlockUpload', upload, context)
      .catch(fromDataPlane(parent?.snapshotId ?? snapshotId));
    const isAsBegun =
      begun === undefined ||
      (begun.sizeGiB === volumeSizeGiB &&
        begun.parentSnapshotId === (parent?.snapshotId ?? null) &&
        begun.dataKey?.keyArn === made?.keyArn);
    if (!isAsBegun) throw conflict();
    // The same request was interrupted before, or goes on elsewhere: the blocks are to be under the key that it made.
    const dataKey = begun === undefined ? made : begun.dataKey;
    const event: SnapshotStarted = {
      type: 'SnapshotStarted',
      snapshotId,
      ownerId: context.accountId,
      region: context.region,
      volumeId: NO_VOLUME,
      volumeSizeGiB,
      dataKey,
      description: wish.description,
      tags: wish.tags,
      direct: { parentSnapshotId: parent?.snapshotId ?? null, parametersHash: wish.parametersHash },
      at: clock.instant(),
    };
    await snapshots.handle({ ...event, type: 'CreateSnapshot' }, { caller: callerOf(context) });
    return view(event, parent?.snapshotId ?? null);
  }

  private async parent(
    { ParentSnapshotId, VolumeSize }: ebs.StartSnapshotRequest,
    context: RequestContext,
  ): Promise<SnapshotRecord | null> {
    if (ParentSnapshotId === undefined) return null;
    const parent = await ownedSnapshot(ParentSnapshotId, this.parts, context);
    if (parent.state !== 'completed')
      throw invalidRequest('INVALID_SNAPSHOT_ID', `Parent snapshot (${ParentSnapshotId}) is not complete.`);
    if (parent.archived === true)
      throw invalidRequest('INVALID_SNAPSHOT_ID', `The snapshot (${ParentSnapshotId}) is archived.`);
    if (parent.volumeSizeGiB > VolumeSize)
      throw invalidRequest('INVALID_VOLUME_SIZE', 'Volume size cannot be smaller than that of the parent snapshot');
    return parent;
  }

  private async dataKey(
    snapshotId: SnapshotId,
    { Encrypted, KmsKeyArn }: ebs.StartSnapshotRequest,
    parent: SnapshotRecord | null,
    context: RequestContext,
  ): Promise<WrappedDataKey | null> {
    const { requests, keys } = this.parts;
    const outcome = directEncryption(
      { encrypted: Encrypted, kmsKeyArn: KmsKeyArn },
      await requests.call('account-settings', 'GetEncryptionDefaults', {}, context),
      parent === null ? null : { encrypted: parent.dataKey !== null },
    );
    if (outcome.kind === 'refused') throw invalidParameter(outcome.message);
    const forwarded = forwardedContext(callerOf(context), context.deadlineMs);
    const encryptionContext = { 'aws:ebs:id': snapshotId };
    if (outcome.kind === 'key') return this.newDataKey(outcome.keyId, encryptionContext, forwarded);
    if (outcome.kind === 'none' || parent?.dataKey == null) return null;
    const { dataKey } = parent;
    return keys.rewrap(dataKey, dataKey.keyArn, encryptionContext, forwarded).catch(fromKms);
  }

  /** With its plaintext, as EBS direct asks for it. */
  private async newDataKey(
    keyId: string,
    encryptionContext: Record<string, string>,
    context: RequestContext,
  ): Promise<WrappedDataKey> {
    const input = { KeyId: keyId, NumberOfBytes: DATA_KEY_BYTES, EncryptionContext: encryptionContext };
    type Output = { CiphertextBlob: string; KeyId: string };
    const { CiphertextBlob, KeyId } = await this.parts.requests
      .request<Output>('kms', 'GenerateDataKey', input, await sealedToNobody(context))
      .catch(fromKms);
    return { keyArn: KeyId, encryptedDataKey: CiphertextBlob, encryptionContext, dataKeyId: randomUUID() };
  }
}

const admitted = (input: ebs.StartSnapshotRequest): Wish => {
  const { VolumeSize, Description = '', Tags = [], Timeout = DEFAULT_TIMEOUT_MINUTES } = input;
  if (!Number.isSafeInteger(VolumeSize) || VolumeSize < 1 || VolumeSize > MAX_VOLUME_GIB)
    throw invalidRequest('INVALID_VOLUME_SIZE', `Volume size must be between 1 and ${String(MAX_VOLUME_GIB)} GiB`);
  const tags = checkedTags(Tags);
  const meaning = {
    ...{ VolumeSize, Description, tags, Timeout, ParentSnapshotId: input.ParentSnapshotId },
    ...{ Encrypted: input.Encrypted, KmsKeyArn: input.KmsKeyArn },
  };
  return {
    volumeSizeGiB: VolumeSize,
    description: Description,
    tags,
    timeoutMinutes: Timeout,
    parametersHash: parametersHash(meaning),
  };
};

const checkedTags = (tags: readonly ebs.Tag[]): Tags => {
  try {
    return tags.length === 0 ? {} : tagsOfSpecifications([{ ResourceType: 'snapshot', Tags: [...tags] }], 'snapshot');
  } catch (error) {
    throw error instanceof AwsError ? invalidRequest('INVALID_TAG', error.message) : error;
  }
};

const idOf = (name: string, life: number): SnapshotId => {
  const digest = createHash('sha256')
    .update(`ebs direct StartSnapshot ${String(life)} ${name}`)
    .digest('hex');
  return parsedSnapshotId(`snap-0${digest.slice(0, 16)}`);
};

const view = (started: SnapshotStarted, parentSnapshotId: SnapshotId | null): ebs.StartSnapshotResponse => ({
  SnapshotId: started.snapshotId,
  OwnerId: started.ownerId,
  Status: 'pending',
  StartTime: started.at,
  VolumeSize: started.volumeSizeGiB,
  BlockSize: BLOCK_SIZE_BYTES,
  Description: started.description === '' ? undefined : started.description,
  Tags: Object.keys(started.tags).length === 0 ? undefined : tagList(started.tags),
  ParentSnapshotId: parentSnapshotId ?? undefined,
  KmsKeyArn: started.dataKey?.keyArn,
  SseType: started.dataKey === null ? 'none' : 'sse-kms',
});
