import { createHash } from 'node:crypto';
import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, newInstanceId, newReservationId, type RequestContext, zonesOf } from '@holdfast/contracts';
import {
  checkClientToken,
  dryRunOperation,
  idempotentParameterMismatch,
  invalidParameterValue,
  missingParameter,
  parametersHash,
  refuseParameters,
  tagsOfSpecifications,
} from '@holdfast/ec2';
import { type ClientToken, ClientTokenUsed } from '@holdfast/event-store';
import type { Clock } from '@holdfast/service-kit';
import type { BlockDevice } from '../domain/block-devices.ts';
import { type Image, publicImage } from '../domain/images.ts';
import { instanceType, type InstanceType } from '../domain/instance-types.ts';
import type { InstancesReserved } from '../domain/reservation.events.ts';
import { describedInstance } from './described-instance.ts';
import type { LaunchReserved } from './launch-reserved.ts';
import type { InstanceTable, ReservationStreams } from './ports.ts';
import type { RunBlockDevices } from './run-block-devices.ts';

/** EC2's default when InstanceType is omitted. @see RunInstances */
const DEFAULT_INSTANCE_TYPE = 'm1.small';
/** Ours: AWS limits vCPUs; a request for more records than this is a mistake. */
const MAX_INSTANCES = 1000;

interface Wish {
  image: Image;
  type: InstanceType;
  count: number;
  availabilityZone: string;
  tags: Record<string, string>;
  volumeTags: Record<string, string>;
  disableApiTermination: boolean;
}

type Whole = Wish & { blockDevices: BlockDevice[] };

/** Launches instances: records with a type, a zone and a host, to which volumes attach. */
export class RunInstances {
  constructor(
    private readonly reservations: ReservationStreams,
    private readonly launchReserved: LaunchReserved,
    private readonly instances: InstanceTable,
    private readonly blockDevices: RunBlockDevices,
    private readonly clock: Clock,
    private readonly settings: { hostId: string },
  ) {}

  async run(input: ec2.RunInstancesRequest, context: RequestContext): Promise<ec2.Reservation> {
    const checkedInput = checked(input, context.region);
    const blockDevices = await this.blockDevices.run(input.BlockDeviceMappings ?? [], checkedInput, context);
    const wish = { ...checkedInput, blockDevices };
    if (input.DryRun === true) throw dryRunOperation();
    const reservation = this.reserve(wish, context);
    const clientToken = tokenFor(input.ClientToken, wish, reservation, context);
    const stands =
      (clientToken && (await this.repeated(clientToken))) ?? (await this.append(reservation, context, clientToken));
    await this.launchReserved.run(stands, callerOf(context));
    return this.describe(stands, context);
  }

  private reserve(wish: Whole, { accountId, region }: RequestContext): InstancesReserved {
    const at = this.clock.instant();
    const reservationId = newReservationId();
    const launches = Array.from({ length: wish.count }, (_, launchIndex) => {
      const instanceId = newInstanceId();
      const { image, availabilityZone, tags, blockDevices, volumeTags, disableApiTermination } = wish;
      const privateIpAddress = privateAddress(instanceId);
      const { hostId } = this.settings;
      const placed = {
        imageId: image.imageId,
        instanceType: wish.type.name,
        availabilityZone,
        privateIpAddress,
        hostId,
        tags,
        rootDeviceName: image.rootDeviceName ?? undefined,
        blockDevices,
        volumeTags,
        disableApiTermination,
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

/** Nobody routes it; it only has to look like one of the default VPC's addresses and to stay the same. */
const privateAddress = (instanceId: string) => {
  const [third = 0, fourth = 0] = createHash('sha256').update(instanceId).digest();
  return `172.31.${String(third)}.${String(4 + (fourth % 250))}`;
};

const tokenFor = (
  token: string | undefined,
  { image, type, ...wish }: Whole,
  { reservationId }: InstancesReserved,
  { accountId, region }: RequestContext,
): ClientToken | undefined =>
  token === undefined
    ? undefined
    : {
        scope: `${accountId}/${region}/RunInstances`,
        token,
        parametersHash: parametersHash({ ...wish, imageId: image.imageId, instanceType: type.name }),
        result: { reservationId },
      };

/** @throws AwsError in the order and with the texts of EC2. */
const checked = (input: ec2.RunInstancesRequest, region: RequestContext['region']): Wish => {
  const {
    ImageId,
    InstanceType,
    MinCount,
    MaxCount,
    Placement,
    ClientToken,
    TagSpecifications,
    BlockDeviceMappings: _devices,
    DisableApiTermination: disableApiTermination = false,
    DryRun: _,
    ...rest
  } = input;
  refuseParameters({ ...rest });
  const { AvailabilityZone, ...otherPlacement } = Placement ?? {};
  refuseParameters({ ...otherPlacement });
  checkClientToken(ClientToken);
  if (ImageId === undefined) throw missingParameter('ImageId');
  const image = checkedImage(ImageId, region);
  const name = InstanceType ?? DEFAULT_INSTANCE_TYPE;
  const type = instanceType(name);
  if (type === null) throw invalidParameterValue(`Invalid value '${name}' for InstanceType.`);
  const count = checkedCount(MinCount, MaxCount);
  const ofVolumes = (TagSpecifications ?? []).filter(({ ResourceType }) => ResourceType === 'volume');
  const others = (TagSpecifications ?? []).filter(({ ResourceType }) => ResourceType !== 'volume');
  const tags = { ...tagsOfSpecifications(others, 'instance') };
  const volumeTags = { ...tagsOfSpecifications(ofVolumes, 'volume') };
  const availabilityZone = checkedZone(AvailabilityZone, region);
  return { image, type, count, availabilityZone, tags, volumeTags, disableApiTermination };
};

const checkedImage = (id: string, region: RequestContext['region']): Image => {
  if (!/^ami-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
    throw new AwsError({ code: 'InvalidAMIID.Malformed', message: `Invalid id: "${id}" (expecting "ami-...")` });
  }
  const image = publicImage(id, region);
  if (image === null) {
    throw new AwsError({ code: 'InvalidAMIID.NotFound', message: `The image id '[${id}]' does not exist` });
  }
  return image;
};

const checkedCount = (minimum: number | undefined, maximum: number | undefined): number => {
  if (minimum === undefined) throw missingParameter('MinCount');
  if (maximum === undefined) throw missingParameter('MaxCount');
  for (const [name, value] of [
    ['minCount', minimum],
    ['maxCount', maximum],
  ] as const) {
    if (value < 1 || value > MAX_INSTANCES) {
      throw invalidParameterValue(`Value (${String(value)}) for parameter ${name} is invalid.`);
    }
  }
  if (minimum > maximum) {
    throw invalidParameterValue(
      `Value (${String(minimum)}) for parameter minCount is invalid. It must not exceed maxCount.`,
    );
  }
  return maximum;
};

const checkedZone = (zone: string | undefined, region: string): string => {
  const zones = zonesOf(region).map(({ zoneName }) => zoneName);
  if (zone === undefined) return zones[0] ?? '';
  if (zones.includes(zone)) return zone;
  throw invalidParameterValue(`Invalid availability zone: [${zone}]`);
};
