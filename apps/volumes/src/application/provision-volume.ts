import { randomUUID } from 'node:crypto';
import {
  AwsError,
  type DataKeyUse,
  ebsServicePrincipal,
  type VolumeId,
  type WrappedDataKey,
} from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { ebsServiceContext, type EbsKeys, forwardedContext, isRefusal, volumeGrant } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { VolumeState } from '../domain/volume-state.ts';
import type { VolumeCreated } from '../domain/volume.events.ts';
import { deadline } from './deadline.ts';
import type { Cause, VolumeStreams } from './ports.ts';

/** How soon to ask again whether a volume's blocks are there, in milliseconds. */
const POLL_MS = 200;

/**
 * From `creating` to `available`: data key, grant, blocks, as the one who asked for the volume. Each step is noted before
 * the next one, and each may be taken again after a crash. A key that can't be used makes the volume vanish.
 */
export class ProvisionVolume {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly keys: EbsKeys,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** Reacts to VolumeCreated. */
  async run(volumeId: VolumeId, cause: Cause): Promise<{ retryAfterMs: number } | undefined> {
    const { created, status } = await this.volumes.load(volumeId);
    if (created === null || status !== 'creating') return undefined;
    try {
      await this.obtainDataKey(created, cause);
      await this.createGrant(created, cause);
      await this.allocate(created, cause);
    } catch (error) {
      if (error instanceof AwsError && error.code === 'InProgress') return { retryAfterMs: POLL_MS };
      // Another process took the same step first, as it may after a silence: go on from what it noted.
      if (error instanceof DomainError && error.code === 'VolumeNotCreating') return { retryAfterMs: POLL_MS };
      if (!isRefusal(error)) throw error;
      const text = error.message === '' ? error.code : error.message;
      await this.handle({ type: 'FailCreation', volumeId, cause: text }, cause);
    }
    return undefined;
  }

  /** Reacts to VolumeCreationFailed: nothing of the volume stays behind. */
  async undo(volumeId: VolumeId, cause: Cause): Promise<void> {
    const state = await this.volumes.load(volumeId);
    const { created, dataKey } = state;
    if (created === null) return;
    if (dataKey !== null && needsGrant(created, state)) {
      const forwarded = forwardedContext(cause.caller, deadline());
      const grantId = state.grantId ?? (await this.keys.findGrant(grantOf(created, dataKey), forwarded));
      if (grantId !== null)
        await this.keys.retireGrant(dataKey.keyArn, grantId, ebsServiceContext(cause.caller, deadline()));
    }
    await this.requests.call('data-plane', 'RemoveVolume', { volumeId }, ebsServiceContext(cause.caller, deadline()));
  }

  private async obtainDataKey(created: VolumeCreated, cause: Cause): Promise<void> {
    const { volumeId, encryption, source } = created;
    if (encryption === null || (await this.volumes.load(volumeId)).dataKey !== null) return;
    const context = { 'aws:ebs:id': volumeId };
    const forwarded = forwardedContext(cause.caller, deadline());
    const { kmsKeyId } = encryption;
    const rewrapped = source?.dataKey ? await this.keys.rewrap(source.dataKey, kmsKeyId, context, forwarded) : null;
    // One lineage under one KMS key keeps its data key, so that its ciphertext can be used as it is.
    const sameKey = source?.owned === true && rewrapped?.keyArn === source.dataKey?.keyArn;
    const dataKey: WrappedDataKey =
      sameKey && rewrapped !== null
        ? rewrapped
        : { ...(await this.keys.newDataKey(kmsKeyId, context, forwarded)), dataKeyId: randomUUID() };
    const sourceDataKey = sameKey ? null : rewrapped;
    await this.handle({ type: 'RecordDataKey', volumeId, dataKey, sourceDataKey }, cause);
  }

  private async createGrant(created: VolumeCreated, cause: Cause): Promise<void> {
    const state = await this.volumes.load(created.volumeId);
    const { dataKey, grantId } = state;
    if (dataKey === null || grantId !== null || !needsGrant(created, state)) return;
    const grant = grantOf(created, dataKey);
    const made = await this.keys.createGrant(grant, forwardedContext(cause.caller, deadline()));
    await this.handle({ type: 'RecordGrant', volumeId: created.volumeId, grantId: made }, cause);
  }

  private async allocate(created: VolumeCreated, cause: Cause): Promise<void> {
    const { volumeId, sizeGiB, source, accountId, region } = created;
    const { dataKey, sourceDataKey, grantId } = await this.volumes.load(volumeId);
    const context = ebsServiceContext(cause.caller, deadline());
    const use = (key: WrappedDataKey | null | undefined): DataKeyUse | undefined =>
      key
        ? { ...key, principal: ebsServicePrincipal(region, accountId), accountId, region, requestId: context.requestId }
        : undefined;
    const { hostId } = await this.requests.call(
      'data-plane',
      'AllocateVolume',
      {
        volumeId,
        sizeGiB,
        dataKey: use(dataKey),
        initializationRateMiBps: created.initializationRateMiBps,
        initialized: created.fastRestored,
        source:
          source && source.empty !== true
            ? { snapshotId: source.snapshotId, dataKey: use(sourceDataKey ?? source.dataKey) }
            : undefined,
      },
      context,
    );
    if (dataKey !== null && grantId !== null && created.keepsGrant !== true)
      await this.keys.retireGrant(dataKey.keyArn, grantId, context);
    await this.handle({ type: 'CompleteCreation', volumeId, hostId }, cause);
  }

  private async handle(command: Step, cause: Cause): Promise<void> {
    await this.volumes.handle({ ...command, at: this.clock.instant() }, cause);
  }
}

type Command = Parameters<VolumeStreams['handle']>[0];
type Step = Command extends infer Each ? (Each extends Command ? Omit<Each, 'at'> : never) : never;

/** A volume that goes on with its snapshot's data key has no key of its own to be unwrapped. */
const needsGrant = ({ source }: VolumeCreated, { dataKey }: VolumeState): boolean =>
  source?.dataKey?.dataKeyId !== dataKey?.dataKeyId;

const grantOf = ({ volumeId, region }: VolumeCreated, { keyArn, encryptionContext }: WrappedDataKey) =>
  volumeGrant(keyArn, region, encryptionContext, `ebs-create-${volumeId}`);
