import type { ec2 } from '@holdfast/aws-protocol';
import {
  AwsError,
  callerOf,
  type ImageId,
  newImageId,
  newSnapshotId,
  REGIONS,
  type Region,
  type RequestContext,
  type SnapshotRecord,
} from '@holdfast/contracts';
import {
  checkClientToken,
  dryRunOperation,
  type EbsKeys,
  forwardedContext,
  idempotentParameterMismatch,
  missingParameter,
  livingToken,
  parametersHash,
  refuseParameters,
  withTags,
} from '@holdfast/ec2';
import { type ClientToken, ClientTokenUsed } from '@holdfast/event-store';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { imageCopyEncryption } from '../domain/image-copy-encryption.ts';
import type { ImageCopyStarted, ImageDevice } from '../domain/image.events.ts';
import { type ImageRow, isGone, isLaunchableBy } from './image-ports.ts';
import { imageGone, imageNotFound, imageNotReady, inEc2sWords } from './image-refusals.ts';
import { checkedDescription, checkedName, type ImageRequests, parseImageId, tagsOfImage } from './image-requests.ts';
import { usedAt } from './token-age.ts';

type Input = Partial<ec2.CopyImageRequest>;
type CopiedDevices = Pick<ImageCopyStarted, 'devices' | 'snapshots'>;

/**
 * Asked in the destination Region. A key that can't be used is refused at once; a source's key that can't be used fails the
 * image later.
 */
export class CopyImage {
  constructor(
    private readonly images: ImageRequests,
    private readonly keys: EbsKeys,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Input, context: RequestContext): Promise<ec2.CopyImageResult> {
    const { DestinationOutpostArn, SnapshotCopyCompletionDurationMinutes } = input;
    const { DestinationAvailabilityZone, DestinationAvailabilityZoneId } = input;
    refuseParameters({ DestinationOutpostArn, SnapshotCopyCompletionDurationMinutes });
    refuseParameters({ DestinationAvailabilityZone, DestinationAvailabilityZoneId });
    const name = checkedName(input.Name);
    const description = checkedDescription(input.Description);
    const { tags, snapshotTags } = tagsOfImage(input.TagSpecifications);
    checkClientToken(input.ClientToken);
    const source = await this.source(input, context);
    const clientToken = await this.token(tokenOf(input, { name, description, tags, snapshotTags }, context));
    const repeated = clientToken && (await this.repeated(clientToken));
    if (input.DryRun !== true && repeated) return { ImageId: repeated };
    const copied = await this.copied(source, input, context);
    await this.images.checkNameIsFree(name, context);
    if (input.DryRun === true) throw dryRunOperation();
    const { accountId: ownerId, region } = context;
    const imageId = newImageId();
    const ownTags = input.CopyImageTags === true ? withTags(source.tags, tags) : tags;
    const at = this.clock.instant();
    const token = clientToken && { ...clientToken, result: { imageId, at } };
    try {
      await this.images.start(
        {
          type: 'CopyImage',
          ...{ imageId, ownerId, region, name, description, rootDeviceName: source.rootDeviceName, snapshotTags },
          ...source.traits,
          ...copied,
          tags: { ...ownTags },
          source: { imageId: source.imageId, region: source.region },
          at,
        },
        context,
        token,
      );
      return { ImageId: imageId };
    } catch (error) {
      // The same token arrived twice at once, and the other request came first.
      if (error instanceof ClientTokenUsed && clientToken) return { ImageId: resultOf(clientToken, error.stored) };
      throw error;
    }
  }

  private async token(token: ClientToken | undefined): Promise<ClientToken | undefined> {
    const find = (scope: string, text: string) => this.images.streams.findClientToken(scope, text);
    const now = this.clock.now();
    return token && (await livingToken(token, find, ({ result }) => usedAt(result, now), now)).token;
  }

  private async repeated(token: ClientToken): Promise<ImageId | null> {
    const stored = await this.images.streams.findClientToken(token.scope, token.token);
    return stored && resultOf(token, stored);
  }

  private async source({ SourceImageId, SourceRegion }: Input, context: RequestContext): Promise<ImageRow> {
    if (SourceImageId === undefined || SourceImageId === '') throw missingParameter('SourceImageId');
    if (SourceRegion === undefined || SourceRegion === '') throw missingParameter('SourceRegion');
    if (!REGIONS.includes(SourceRegion))
      throw new AwsError({ code: 'InvalidRegion', message: `${SourceRegion} is not a valid region name.` });
    const where = { accountId: context.accountId, region: SourceRegion as Region };
    const image = await this.images.table.byId(parseImageId(SourceImageId), where);
    if (image === null || !isLaunchableBy(image, context.accountId)) throw imageNotFound(SourceImageId);
    if (isGone(image)) throw imageGone(SourceImageId);
    if (image.state !== 'available') throw imageNotReady(SourceImageId, image.state);
    return image;
  }

  /** The devices of the copy, each under the key that the request, its source and the settings come to. */
  private async copied(source: ImageRow, input: Input, context: RequestContext): Promise<CopiedDevices> {
    const { Encrypted: encrypted, KmsKeyId: kmsKeyId } = input;
    const request = { encrypted, kmsKeyId, crossRegion: source.region !== context.region };
    const defaults = await this.requests.call('account-settings', 'GetEncryptionDefaults', {}, context);
    const devices: ImageDevice[] = [];
    const snapshots: ImageCopyStarted['snapshots'][number][] = [];
    for (const { keyArn: _key, ...device } of source.devices) {
      if (device.snapshotId === undefined) {
        devices.push(device);
        continue;
      }
      const from = await this.snapshot(device.snapshotId, source, context);
      const copiedFrom = { owned: from.ownerId === context.accountId, keyArn: from.dataKey?.keyArn ?? null };
      const keyId = inEc2sWords(() => imageCopyEncryption(request, defaults, copiedFrom));
      const keyArn = keyId === null ? null : await this.usableKey(keyId, context);
      const snapshotId = newSnapshotId();
      devices.push({ ...device, snapshotId, encrypted: keyArn !== null, ...(keyArn === null ? {} : { keyArn }) });
      snapshots.push({ snapshotId, sourceSnapshotId: device.snapshotId, keyArn });
    }
    return { devices, snapshots };
  }

  private usableKey(keyId: string, context: RequestContext): Promise<string> {
    return this.keys.usableKey(keyId, forwardedContext(callerOf(context), context.deadlineMs));
  }

  /** Who may launch from an image may not yet copy it: for that its owner shares the snapshots as well. */
  private async snapshot(
    snapshotId: NonNullable<ImageDevice['snapshotId']>,
    { region }: ImageRow,
    context: RequestContext,
  ): Promise<SnapshotRecord> {
    const found = await this.requests.call('snapshots', 'GetSnapshot', { snapshotId }, { ...context, region });
    if (found !== null) return found;
    throw new AwsError({
      code: 'InvalidRequest',
      message: 'You do not have permission to access the storage of this ami',
    });
  }
}

const resultOf = (asked: ClientToken, stored: ClientToken): ImageId => {
  if (stored.parametersHash !== asked.parametersHash) throw idempotentParameterMismatch();
  return (stored.result as { imageId: ImageId }).imageId;
};

const tokenOf = (
  { ClientToken: token, SourceImageId, SourceRegion, Encrypted, KmsKeyId, CopyImageTags }: Input,
  meaning: Readonly<Record<string, unknown>>,
  { accountId, region }: RequestContext,
): ClientToken | undefined =>
  token === undefined || token === ''
    ? undefined
    : {
        scope: `${accountId}/${region}/CopyImage`,
        token,
        parametersHash: parametersHash({ ...meaning, SourceImageId, SourceRegion, Encrypted, KmsKeyId, CopyImageTags }),
        result: null,
      };
