import type { ec2 } from '@holdfast/aws-protocol';
import {
  callerOf,
  type ImageId,
  type InternalRequests,
  newVolumeId,
  type RequestContext,
  type SnapshotRecord,
  type Zone,
  zonesOf,
} from '@holdfast/contracts';
import {
  checkClientToken,
  clientTokenBurned,
  dryRunOperation,
  idempotentParameterMismatch,
  invalidParameterValue,
  livingToken,
  parametersHash,
  refuseParameters,
  type Tags,
  tagsOfSpecifications,
} from '@holdfast/ec2';
import { type ClientToken, ClientTokenUsed } from '@holdfast/event-store';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { snapshotId as snapshotIdOf, type VolumeId } from '@holdfast/contracts';
import { type EncryptionOutcome, encryptionOutcome } from '../domain/encryption-outcome.ts';
import type { VolumeCommand } from '../domain/volume.commands.ts';
import { checkVolumeQuotas, type VolumeQuotas } from '../domain/volume-quotas.ts';
import { checkMultiAttach, type VolumeConfiguration, volumeConfiguration } from '../domain/volume-type-limits.ts';
import type { VolumeStreams, VolumeTable } from './ports.ts';
import { refusal } from './refusals.ts';
import { volumeBasics } from './volume-view.ts';
import { wholeSeconds } from './whole-seconds.ts';

/** What EC2 checks of a request before it answers a dry run. */
interface Admitted {
  zone: Zone;
  tags: Tags;
  snapshot: SnapshotRecord | null;
  configuration: VolumeConfiguration;
  initializationRateMiBps: number | undefined;
}

/** What is kept with a client token. */
interface StoredAnswer {
  volumeId: VolumeId;
  answer: ec2.Volume;
}

/** MiB/s. */
const INITIALIZATION_RATES = { minimum: 100, maximum: 300 };

/** The volume is `creating` when this answers; its key is first used afterwards, so a bad key shows only then. */
export class CreateVolume {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly table: Pick<VolumeTable, 'usage'>,
    private readonly quotas: VolumeQuotas,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** @param throughImage whose snapshots may be used by whom their owner lets launch from it. */
  async run(input: ec2.CreateVolumeRequest, context: RequestContext, throughImage?: ImageId): Promise<ec2.Volume> {
    const admitted = await this.admit(input, context, throughImage);
    if (input.DryRun === true) throw dryRunOperation();
    checkMultiAttach(admitted.configuration);
    checkClientToken(input.ClientToken);
    await this.checkQuotas(admitted.configuration, context);
    const { token, stored } = await this.token(input, admitted, context);
    if (token && stored) return this.repeat(token, stored);
    const encryption = await this.encryption(input, admitted, context);
    return this.create(admitted, encryption, { token, keepsGrant: throughImage !== undefined }, context);
  }

  /** What comes before the caller's permissions. @throws as `run` does. */
  async check(input: ec2.CreateVolumeRequest, context: RequestContext): Promise<void> {
    await this.admit(input, context);
  }

  /** What `run` would make. @throws as `run` does. */
  async plan(
    { input, throughImage }: InternalRequests['volumes']['PlanVolume']['in'],
    context: RequestContext,
  ): Promise<InternalRequests['volumes']['PlanVolume']['out']> {
    const admitted = await this.admit(input, context, throughImage);
    await this.checkQuotas(admitted.configuration, context);
    const encryption = await this.encryption(input, admitted, context);
    const { sizeGiB, volumeType } = admitted.configuration;
    const snapshotSizeGiB = admitted.snapshot?.volumeSizeGiB ?? null;
    return { sizeGiB, snapshotSizeGiB, volumeType, encrypted: encryption !== null };
  }

  /** Whether it is made of a snapshot for which fast snapshot restore is enabled in its zone; that takes a credit. */
  private async isFastRestored(
    snapshot: SnapshotRecord | null,
    { zoneName: availabilityZone }: Zone,
    context: RequestContext,
  ): Promise<boolean> {
    if (snapshot === null || snapshot.empty === true) return false;
    const question = { snapshotId: snapshot.snapshotId, availabilityZone };
    return (await this.requests.call('snapshots', 'UseFastRestore', question, context)).fastRestored;
  }

  /** Before the token, as EC2 does: a request that was carried out may be refused when it comes again. */
  private async checkQuotas(configuration: VolumeConfiguration, context: RequestContext): Promise<void> {
    const usage = await this.table.usage(configuration.volumeType, context);
    checkVolumeQuotas(usage, configuration, this.quotas);
  }

  private async token(input: ec2.CreateVolumeRequest, admitted: Admitted, context: RequestContext) {
    const token = tokenOf(input, admitted, context);
    if (token === undefined) return { token, stored: null };
    const find = (scope: string, text: string) => this.volumes.findClientToken(scope, text);
    const storedAt = ({ result }: ClientToken) => (result as StoredAnswer).answer.CreateTime ?? '';
    return livingToken(token, find, storedAt, this.clock.now());
  }

  private async encryption(
    input: ec2.CreateVolumeRequest,
    { snapshot }: Admitted,
    context: RequestContext,
  ): Promise<EncryptionOutcome> {
    const encryption = encryptionOutcome(
      { encrypted: input.Encrypted, kmsKeyId: input.KmsKeyId },
      await this.requests.call('account-settings', 'GetEncryptionDefaults', {}, context),
      snapshot && { owned: snapshot.ownerId === context.accountId, keyArn: snapshot.dataKey?.keyArn ?? null },
    );
    if (snapshot !== null && snapshot.state !== 'completed')
      throw refusal('SnapshotNotCompleted', { state: snapshot.state });
    if (snapshot?.archived === true) throw refusal('SnapshotArchived', { snapshotId: snapshot.snapshotId });
    return encryption;
  }

  private async admit(
    input: ec2.CreateVolumeRequest,
    context: RequestContext,
    throughImage?: ImageId,
  ): Promise<Admitted> {
    refuseParameters({ OutpostArn: input.OutpostArn, Operator: input.Operator });
    const snapshotId = input.SnapshotId === '' ? undefined : input.SnapshotId;
    if (input.Size === undefined && snapshotId === undefined) throw refusal('SizeOrSnapshotMissing');
    checkInitializationRate(input.VolumeInitializationRate, snapshotId);
    const zone = zoneOf(input, context.region);
    const tags = tagsOfSpecifications(input.TagSpecifications, 'volume');
    const snapshot = snapshotId === undefined ? null : await this.snapshot(snapshotId, context, throughImage);
    // A copy whose source was not found has no size by which anything could be checked.
    if (snapshot?.state === 'error') throw refusal('SnapshotNotCompleted', { state: snapshot.state });
    const configuration = volumeConfiguration({
      volumeType: input.VolumeType,
      sizeGiB: input.Size,
      snapshotSizeGiB: snapshot?.volumeSizeGiB,
      iops: input.Iops,
      throughputMiBps: input.Throughput,
      multiAttachEnabled: input.MultiAttachEnabled,
    });
    return { zone, tags, snapshot, configuration, initializationRateMiBps: input.VolumeInitializationRate };
  }

  private async snapshot(text: string, context: RequestContext, throughImage?: ImageId): Promise<SnapshotRecord> {
    let snapshotId;
    try {
      snapshotId = snapshotIdOf(text);
    } catch {
      throw invalidParameterValue(`Value (${text}) for parameter snapshotId is invalid. Expected: 'snap-...'.`);
    }
    const snapshot = await this.requests.call('snapshots', 'GetSnapshot', { snapshotId, throughImage }, context);
    if (snapshot === null) throw refusal('SnapshotNotFound');
    return snapshot;
  }

  private async create(
    { zone, tags, snapshot, configuration, initializationRateMiBps }: Admitted,
    encryption: EncryptionOutcome,
    { token, keepsGrant }: { token: ClientToken | undefined; keepsGrant: boolean },
    context: RequestContext,
  ): Promise<ec2.Volume> {
    const { accountId, region } = context;
    const fastRestored = initializationRateMiBps === undefined && (await this.isFastRestored(snapshot, zone, context));
    const command: Extract<VolumeCommand, { type: 'CreateVolume' }> = {
      type: 'CreateVolume',
      volumeId: newVolumeId(),
      accountId,
      region,
      availabilityZone: zone.zoneName,
      availabilityZoneId: zone.zoneId,
      ...configuration,
      initializationRateMiBps,
      ...(fastRestored ? { fastRestored } : {}),
      source: snapshot && {
        snapshotId: snapshot.snapshotId,
        owned: snapshot.ownerId === accountId,
        dataKey: snapshot.dataKey,
        empty: snapshot.empty,
      },
      encryption,
      keepsGrant,
      tags,
      at: this.clock.instant(),
    };
    const answer = answerOf(command);
    const result: StoredAnswer = { volumeId: command.volumeId, answer };
    const clientToken = token && { ...token, result };
    try {
      await this.volumes.handle(command, { caller: callerOf(context) }, clientToken);
    } catch (error) {
      // The same request arrived twice at once, and the other one was first.
      if (token !== undefined && error instanceof ClientTokenUsed) return this.repeat(token, error.stored);
      throw error;
    }
    return answer;
  }

  /** Answers a token's second request as its first one was answered. */
  private async repeat({ token, parametersHash: asked }: ClientToken, stored: ClientToken): Promise<ec2.Volume> {
    if (stored.parametersHash !== asked) throw idempotentParameterMismatch();
    const { volumeId, answer } = stored.result as StoredAnswer;
    const { status } = await this.volumes.load(volumeId);
    if (status === 'gone' || status === 'deleting' || status === 'recycled') throw clientTokenBurned(token, volumeId);
    return answer;
  }
}

const zoneOf = ({ AvailabilityZone, AvailabilityZoneId }: ec2.CreateVolumeRequest, region: string): Zone => {
  if (AvailabilityZone !== undefined && AvailabilityZoneId !== undefined) throw refusal('ZoneAmbiguous');
  const name = AvailabilityZone ?? AvailabilityZoneId;
  if (name === undefined) throw refusal('ZoneMissing');
  const zone = zonesOf(region).find(
    ({ zoneName, zoneId }) => (AvailabilityZone === undefined ? zoneId : zoneName) === name,
  );
  if (zone === undefined) throw refusal('ZoneUnknown', { zone: name });
  return zone;
};

const checkInitializationRate = (rate: number | undefined, snapshotId: string | undefined): void => {
  if (rate === undefined) return;
  if (snapshotId === undefined) throw refusal('InitializationRateWithoutSnapshot');
  const { minimum, maximum } = INITIALIZATION_RATES;
  if (rate < minimum || rate > maximum) throw refusal('InitializationRateNotAllowed');
};

/** What makes two requests the same: zone by name or id, type in either case, and throughput said or not are one. */
const tokenOf = (
  input: ec2.CreateVolumeRequest,
  { zone, tags, snapshot, configuration, initializationRateMiBps }: Admitted,
  { accountId, region }: RequestContext,
): ClientToken | undefined =>
  input.ClientToken === undefined || input.ClientToken === ''
    ? undefined
    : {
        scope: `${accountId}/${region}/CreateVolume`,
        token: input.ClientToken,
        parametersHash: parametersHash({
          zone: zone.zoneName,
          size: input.Size,
          snapshotId: snapshot?.snapshotId,
          volumeType: configuration.volumeType,
          iops: input.Iops,
          throughput: configuration.throughputMiBps,
          multiAttach: configuration.multiAttachEnabled === true ? true : undefined,
          initializationRate: initializationRateMiBps,
          encrypted: input.Encrypted,
          kmsKeyId: input.KmsKeyId,
          tags,
        }),
        result: null,
      };

/** The key is named only to who named it, or who owns the encrypted snapshot; never when the default was taken. */
const answerOf = (command: Extract<VolumeCommand, { type: 'CreateVolume' }>): ec2.Volume => ({
  ...volumeBasics({
    ...command,
    multiAttachEnabled: command.multiAttachEnabled ?? false,
    initializationRateMiBps: command.initializationRateMiBps ?? null,
    fastRestored: command.fastRestored ?? false,
    state: 'creating',
    snapshotId: command.source?.snapshotId ?? '',
    encrypted: command.encryption !== null,
    createTime: wholeSeconds(command.at),
  }),
  KmsKeyId:
    command.encryption === null || command.encryption.chosenBy === 'default' ? undefined : command.encryption.kmsKeyId,
});
