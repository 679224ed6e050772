import type { ec2 } from '@holdfast/aws-protocol';
import {
  AwsError,
  callerOf,
  newInstanceId,
  newProfileAssociationId,
  newReservationId,
  type RequestContext,
} from '@holdfast/contracts';
import { dryRunOperation, idempotentParameterMismatch, livingToken, parametersHash } from '@holdfast/ec2';
import { type ClientToken, ClientTokenUsed } from '@holdfast/event-store';
import type { Clock } from '@holdfast/service-kit';
import type { BlockDevice } from '../domain/block-devices.ts';
import { privateAddress } from '../domain/default-vpc.ts';
import { type InstanceSettings, metadataOptionsOf } from '../domain/instance-settings.ts';
import type { InstancesReserved } from '../domain/reservation.events.ts';
import { describedInstance } from './described-instance.ts';
import type { ImageRow } from './image-ports.ts';
import { imageNotReady } from './image-refusals.ts';
import type { ImageRequests } from './image-requests.ts';
import type { Credentials, LaunchCredentials } from './launch-credentials.ts';
import type { LaunchReserved } from './launch-reserved.ts';
import { launchWish, type LaunchWish } from './launch-wish.ts';
import type { InstanceTable, ReservationStreams } from './ports.ts';
import type { RunBlockDevices } from './run-block-devices.ts';
import { usedAt } from './token-age.ts';

type Whole = LaunchWish & { image: ImageRow; blockDevices: BlockDevice[]; credentials: Credentials };

/** Launches instances: records with a type, a zone and a host, to which volumes attach. */
export class RunInstances {
  constructor(
    private readonly reservations: ReservationStreams,
    private readonly launchReserved: LaunchReserved,
    private readonly instances: InstanceTable,
    private readonly images: ImageRequests,
    private readonly blockDevices: RunBlockDevices,
    private readonly credentials: LaunchCredentials,
    private readonly clock: Clock,
    private readonly settings: { hostId: string; instanceLimit: number },
  ) {}

  async run(input: ec2.RunInstancesRequest, context: RequestContext): Promise<ec2.Reservation> {
    const wished = launchWish(input, context);
    const image = await this.images.launchable(input.ImageId, context);
    if (image.state !== 'available') throw imageNotReady(image.imageId, image.state);
    const blockDevices = await this.blockDevices.run(input.BlockDeviceMappings ?? [], { ...wished, image }, context);
    const credentials = await this.credentials.run(input, context);
    const wish = { ...wished, image, blockDevices, credentials };
    if (input.DryRun === true) throw dryRunOperation();
    const reservation = this.reserve(wish, input.ClientToken, context);
    const clientToken = await this.token(tokenFor(input.ClientToken, wish, reservation, context));
    const repeated = clientToken && (await this.repeated(clientToken));
    if (!repeated) await this.checkLimit(wish.count, context);
    const stands = repeated ?? (await this.append(reservation, context, clientToken));
    await this.launchReserved.run(stands, callerOf(context));
    return this.describe(stands, context);
  }

  /** EC2's own quota is of vCPUs; here there is one of instances. It is counted, not locked. */
  private async checkLimit(count: number, context: RequestContext): Promise<void> {
    const { instanceLimit } = this.settings;
    if ((await this.instances.count(context)) + count > instanceLimit)
      throw new AwsError({
        code: 'InstanceLimitExceeded',
        message: `You have requested more instances (${String(count)}) than your current instance limit of ${String(instanceLimit)} allows for the specified instance type.`,
      });
  }

  private reserve(
    wish: Whole,
    clientToken: string | undefined,
    { accountId, region }: RequestContext,
  ): InstancesReserved {
    const at = this.clock.instant();
    const reservationId = newReservationId();
    const launches = Array.from({ length: wish.count }, (_, launchIndex) => {
      const instanceId = newInstanceId();
      const { image, availabilityZone, tags, blockDevices, volumeTags, disableApiTermination } = wish;
      const settings = settingsFor(image, wish.settings);
      const privateIpAddress = privateAddress(instanceId, region, availabilityZone);
      const { hostId } = this.settings;
      const placed = {
        imageId: image.imageId,
        architecture: image.traits.architecture,
        instanceType: wish.type.name,
        availabilityZone,
        privateIpAddress,
        hostId,
        tags,
        rootDeviceName: image.rootDeviceName,
        blockDevices,
        volumeTags,
        disableApiTermination,
        settings,
        ...launchedWith(wish.credentials),
        ...(clientToken === undefined ? {} : { clientToken }),
      };
      return { instanceId, reservationId, launchIndex, accountId, region, ...placed, at };
    });
    return { type: 'InstancesReserved', reservationId, launches, at };
  }

  private async append(reservation: InstancesReserved, context: RequestContext, clientToken?: ClientToken) {
    try {
      await this.reservations.append(reservation, callerOf(context), clientToken);
      return reservation;
    } catch (error) {
      // The same token arrived twice at once, and the other request came first.
      if (error instanceof ClientTokenUsed && clientToken) return (await this.repeated(clientToken)) ?? reservation;
      throw error;
    }
  }

  private async token(token: ClientToken | undefined): Promise<ClientToken | undefined> {
    const find = (scope: string, text: string) => this.reservations.findClientToken(scope, text);
    const now = this.clock.now();
    return token && (await livingToken(token, find, ({ result }) => usedAt(result, now), now)).token;
  }

  /** What the token stands for already. @throws AwsError IdempotentParameterMismatch */
  private async repeated(clientToken: ClientToken): Promise<InstancesReserved | null> {
    const stored = await this.reservations.findClientToken(clientToken.scope, clientToken.token);
    if (stored === null) return null;
    if (stored.parametersHash !== clientToken.parametersHash) throw idempotentParameterMismatch();
    return this.reservations.read((stored.result as { reservationId: string }).reservationId);
  }

  private async describe(
    { reservationId, launches }: InstancesReserved,
    context: RequestContext,
  ): Promise<ec2.Reservation> {
    const rows = await Promise.all(launches.map(({ instanceId }) => this.instances.byId(instanceId)));
    const Instances = rows.flatMap((row) => (row === null ? [] : [describedInstance(row, [])]));
    return { ReservationId: reservationId, OwnerId: context.accountId, Groups: [], Instances };
  }
}

/** An image may ask for the second version of the metadata service, which the request may take back. */
const settingsFor = ({ traits }: ImageRow, settings: InstanceSettings): InstanceSettings =>
  traits.imdsSupport !== 'v2.0' || settings.metadataOptions !== undefined
    ? settings
    : {
        ...settings,
        metadataOptions: { ...metadataOptionsOf({}), httpTokens: 'required', httpPutResponseHopLimit: 2 },
      };

/** Each instance has an association of its own with the profile. */
const launchedWith = ({ keyName, profile }: Credentials) => ({
  ...(keyName === undefined ? {} : { keyName }),
  ...(profile === undefined ? {} : { instanceProfile: { associationId: newProfileAssociationId(), ...profile } }),
});

const tokenFor = (
  token: string | undefined,
  { image, type, credentials, ...wish }: Whole,
  { reservationId, at }: InstancesReserved,
  { accountId, region }: RequestContext,
): ClientToken | undefined =>
  token === undefined
    ? undefined
    : {
        scope: `${accountId}/${region}/RunInstances`,
        token,
        parametersHash: parametersHash({ ...wish, ...credentials, imageId: image.imageId, instanceType: type.name }),
        result: { reservationId, at },
      };
