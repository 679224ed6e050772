import type { ec2 } from '@holdfast/aws-protocol';
import { instant, type AttachmentRecord } from '@holdfast/contracts';
import { testContext } from '@holdfast/messaging/testing';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { instanceFilters, instanceStatusFilters } from './adapters/outbound/instance-filters.ts';
import { start } from './service.ts';
import { FakeVolumes } from './testing/fake-volumes.ts';

const INSTANCE_LIMIT = 60;

let stack: TestStack;
const fake = new FakeVolumes();
beforeAll(async () => {
  stack = await startTestStack(inject('postgresAdminUrl'));
  await stack.bus.serveRequests('volumes', fake.handlers);
  await stack.start(start, { hostId: 'host-1', instanceLimit: INSTANCE_LIMIT });
});
beforeEach(() => {
  fake.others = [];
});
afterAll(() => stack.close());

const call = <Output>(action: string, input: object = {}, fields = {}) =>
  stack.bus.request<Output>('instances', action, input, testContext(60_000, fields));
const imageId = async () =>
  (await call<ec2.DescribeImagesResult>('DescribeImages', { Owners: ['amazon'] })).Images?.[0]?.ImageId ?? '';
const launch = async (input: Partial<ec2.RunInstancesRequest> = {}) =>
  call<ec2.Reservation>('RunInstances', { ImageId: await imageId(), InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, ...input }); // prettier-ignore
const idOf = ({ Instances }: ec2.Reservation) => Instances?.[0]?.InstanceId ?? '';
const describeInstances = async (input: ec2.DescribeInstancesRequest = {}) =>
  (await call<ec2.DescribeInstancesResult>('DescribeInstances', input)).Reservations?.flatMap(
    (r) => r.Instances ?? [],
  ) ?? [];
const stateOf = async (id: string) => (await describeInstances({ InstanceIds: [id] }))[0]?.State?.Name;

describe('RunInstances', () => {
  it('answers pending, and the instance runs soon after', async () => {
    const reservation = await launch({
      Placement: { AvailabilityZone: 'eu-central-1b' },
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'web' }] }],
    });
    expect(reservation).toMatchObject({ OwnerId: '111122223333', Instances: [{ InstanceType: 't3.micro' }] });
    await expect.poll(() => stateOf(idOf(reservation))).toBe('running');
    const [described] = await describeInstances({ InstanceIds: [idOf(reservation)] });
    expect(described).toMatchObject({
      State: { Code: 16, Name: 'running' },
      Placement: { AvailabilityZone: 'eu-central-1b' },
      Tags: [{ Key: 'Name', Value: 'web' }],
      BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { Status: 'attached' } }],
    });
  });

  it('launches as many as were asked for, in one reservation', async () => {
    const { ReservationId, Instances = [] } = await launch({ MinCount: 2, MaxCount: 3 });
    expect(Instances.map(({ AmiLaunchIndex }) => AmiLaunchIndex)).toEqual([0, 1, 2]);
    const found = await describeInstances({ Filters: [{ Name: 'reservation-id', Values: [ReservationId ?? ''] }] });
    expect(found).toHaveLength(3);
  });

  it('answers a repeated client token with the same instances, and refuses another request under it', async () => {
    const first = await launch({ ClientToken: 'once' });
    expect(idOf(await launch({ ClientToken: 'once' }))).toBe(idOf(first));
    await expect(launch({ ClientToken: 'once', InstanceType: 'm5.large' })).rejects.toMatchObject({
      code: 'IdempotentParameterMismatch',
    });
  });

  it('launches once when the same token arrives many times at once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => launch({ ClientToken: 'race' })));
    expect(new Set(all.map(idOf)).size).toBe(1);
  });

  it.each([
    [{ InstanceType: 'x9.nano' }, 'InvalidParameterValue'],
    [{ ImageId: 'ami-1' }, 'InvalidAMIID.Malformed'],
    [{ ImageId: 'ami-0123456789abcdef0' }, 'InvalidAMIID.NotFound'],
    [{ MinCount: 2, MaxCount: 1 }, 'InvalidParameterValue'],
    [{ MinCount: 0 }, 'InvalidParameterValue'],
    [{ Placement: { AvailabilityZone: 'us-east-1a' } }, 'InvalidParameterValue'],
    [{ KeyName: 'k' }, 'InvalidKeyPair.NotFound'],
    [{ SubnetId: 'subnet-0123456789abcdef0' }, 'InvalidSubnetID.NotFound'],
    [{ SecurityGroupIds: ['sg-0123456789abcdef0'] }, 'InvalidGroup.NotFound'],
    [{ SecurityGroups: ['web'] }, 'InvalidGroup.NotFound'],
    [{ NetworkInterfaces: [{ DeviceIndex: 1 }] }, 'UnsupportedOperation'],
    [{ NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: true }] }, 'UnsupportedOperation'],
    [{ NetworkInterfaces: [{ DeviceIndex: 0 }], SubnetId: 'subnet-1' }, 'InvalidParameterCombination'],
    [{ Placement: { Tenancy: 'dedicated' as const } }, 'UnsupportedOperation'],
    [{ DryRun: true }, 'DryRunOperation'],
  ])('refuses %j with %s', async (input, code) => {
    const before = (await describeInstances()).length;
    await expect(launch(input)).rejects.toMatchObject({ code });
    expect(await describeInstances()).toHaveLength(before);
  });
});

describe('DescribeInstances', () => {
  it('shows what is attached', async () => {
    const id = idOf(await launch());
    const attachTime = instant(new Date('2026-01-31T12:00:00Z'));
    fake.others = [
      {
        volumeId: 'vol-1',
        instanceId: id,
        device: '/dev/sdf',
        state: 'attached',
        attachTime,
        deleteOnTermination: false,
      },
    ] as unknown as AttachmentRecord[];
    const [described] = await describeInstances({ InstanceIds: [id] });
    expect(described?.BlockDeviceMappings).toContainEqual({
      DeviceName: '/dev/sdf',
      Ebs: { VolumeId: 'vol-1', Status: 'attached', AttachTime: attachTime, DeleteOnTermination: false },
    });
  });

  it('pages through all of them without missing or repeating one', async () => {
    await launch({ MinCount: 12, MaxCount: 12 });
    const seen: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await call<ec2.DescribeInstancesResult>('DescribeInstances', { MaxResults: 5, NextToken });
      seen.push(...(page.Reservations ?? []).flatMap((r) => (r.Instances ?? []).map((i) => i.InstanceId ?? '')));
      NextToken = page.NextToken;
    } while (NextToken);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength((await describeInstances()).length);
  });

  it('names the ids that are not there, and shows no other account its instances', async () => {
    const id = idOf(await launch());
    await expect(describeInstances({ InstanceIds: ['i-0123456789abcdef0'] })).rejects.toMatchObject({
      code: 'InvalidInstanceID.NotFound',
      message: "The instance ID 'i-0123456789abcdef0' does not exist",
    });
    await expect(call('DescribeInstances', { InstanceIds: [id] }, { accountId: '444455556666' })).rejects.toMatchObject(
      {
        code: 'InvalidInstanceID.NotFound',
      },
    );
  });
});

describe('TerminateInstances', () => {
  it('shuts down and terminates, once', async () => {
    const id = idOf(await launch());
    await expect.poll(() => stateOf(id)).toBe('running');
    const answer = await call<ec2.TerminateInstancesResult>('TerminateInstances', { InstanceIds: [id] });
    expect(answer.TerminatingInstances).toEqual([
      {
        InstanceId: id,
        PreviousState: { Code: 16, Name: 'running' },
        CurrentState: { Code: 32, Name: 'shutting-down' },
      },
    ]);
    await expect.poll(() => stateOf(id)).toBe('terminated');
    const again = await call<ec2.TerminateInstancesResult>('TerminateInstances', { InstanceIds: [id] });
    expect(again.TerminatingInstances?.[0]?.CurrentState?.Name).toBe('terminated');
  });

  it('ends none when one is not there', async () => {
    const id = idOf(await launch());
    await expect(call('TerminateInstances', { InstanceIds: [id, 'i-0123456789abcdef0'] })).rejects.toMatchObject({
      code: 'InvalidInstanceID.NotFound',
    });
    await expect.poll(() => stateOf(id)).toBe('running');
  });
});

describe('Regions and zones', () => {
  it('are listed and filtered', async () => {
    const { Regions } = await call<ec2.DescribeRegionsResult>('DescribeRegions', { RegionNames: ['us-east-1'] });
    expect(Regions).toEqual([
      { RegionName: 'us-east-1', Endpoint: 'ec2.us-east-1.amazonaws.com', OptInStatus: 'opt-in-not-required' },
    ]);
    const zones = await call<ec2.DescribeAvailabilityZonesResult>('DescribeAvailabilityZones', {
      Filters: [{ Name: 'zone-name', Values: ['*b'] }],
    });
    expect(zones.AvailabilityZones).toMatchObject([
      { ZoneName: 'eu-central-1b', ZoneId: 'euc1-az2', State: 'available' },
    ]);
    await expect(call('DescribeRegions', { RegionNames: ['mars-1'] })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
    });
  });
});

describe('tags of instances', () => {
  it('are set, listed and removed', async () => {
    const id = idOf(await launch());
    await call('CreateTags', {
      Resources: [id],
      Tags: [
        { Key: 'a', Value: '1' },
        { Key: 'b', Value: '2' },
      ],
    });
    await call('DeleteTags', { Resources: [id], Tags: [{ Key: 'a' }] });
    const { Tags } = await call<ec2.DescribeTagsResult>('DescribeTags', {
      Filters: [{ Name: 'resource-id', Values: [id] }],
    });
    expect(Tags).toEqual([{ ResourceId: id, ResourceType: 'instance', Key: 'b', Value: '2' }]);
  });
});

describe('filters on instances', () => {
  const found = async (filters: Record<string, string>) =>
    (
      await describeInstances({ Filters: Object.entries(filters).map(([Name, value]) => ({ Name, Values: [value] })) })
    ).map(({ InstanceId }) => InstanceId);

  it('look at what is described, devices and network interfaces included', async () => {
    const id = idOf(await launch({ ClientToken: 'filtered' }));
    await expect.poll(() => stateOf(id)).toBe('running');
    const [instance] = await describeInstances({ InstanceIds: [id] });
    expect(instance).toMatchObject({ ClientToken: 'filtered', EnaSupport: true });
    const { DeviceName = '', Ebs = {} } = instance?.BlockDeviceMappings?.[0] ?? {};
    const [face] = instance?.NetworkInterfaces ?? [];
    const described: Record<string, string | undefined> = {
      'availability-zone-id': 'euc1-az1',
      'block-device-mapping.attach-time': Ebs.AttachTime,
      'block-device-mapping.delete-on-termination': String(Ebs.DeleteOnTermination),
      'block-device-mapping.device-name': DeviceName,
      'block-device-mapping.status': Ebs.Status,
      'block-device-mapping.volume-id': Ebs.VolumeId,
      'client-token': 'filtered',
      'ebs-optimized': String(instance?.EbsOptimized),
      'ena-support': String(instance?.EnaSupport),
      'metadata-options.http-put-response-hop-limit': String(instance?.MetadataOptions?.HttpPutResponseHopLimit),
      'metadata-options.http-tokens': instance?.MetadataOptions?.HttpTokens,
      'network-interface.attachment.attachment-id': face?.Attachment?.AttachmentId,
      'network-interface.mac-address': face?.MacAddress,
      'network-interface.network-interface-id': face?.NetworkInterfaceId,
      'network-interface.private-dns-name': face?.PrivateDnsName,
      'network-interface.status': face?.Status,
      'private-dns-name': instance?.PrivateDnsName,
    };
    for (const [name, value = 'undescribed'] of Object.entries(described)) {
      expect([name, await found({ 'instance-id': id, [name]: value })]).toEqual([name, [id]]);
      expect([name, await found({ 'instance-id': id, [name]: 'another' })]).toEqual([name, []]);
    }
    const other = idOf(await launch({ InstanceType: 't3.nano' }));
    const both = { Name: 'block-device-mapping.volume-id', Values: [Ebs.VolumeId ?? ''] };
    expect(await describeInstances({ InstanceIds: [other], Filters: [both] })).toEqual([]);
  });

  it('are all questions that the table understands', async () => {
    const names = Object.keys(instanceFilters('111122223333', 'eu-central-1'));
    const all = names.map((Name) => ({ Name, Values: ['no such value'] }));
    for (let at = 0; at < all.length; at += 50)
      expect(await describeInstances({ Filters: all.slice(at, at + 50) })).toEqual([]);
    expect(names).toHaveLength(new Set(names).size);
    const ofStatus = Object.keys(instanceStatusFilters('111122223333', 'eu-central-1'));
    const Filters = ofStatus.map((Name) => ({ Name, Values: ['no such value'] }));
    const statuses = (input: object) => call<ec2.DescribeInstanceStatusResult>('DescribeInstanceStatus', input);
    expect((await statuses({ Filters })).InstanceStatuses).toEqual([]);
    const well = { Filters: [{ Name: 'system-status.reachability', Values: ['passed'] }] };
    expect((await statuses(well)).InstanceStatuses?.[0]).toMatchObject({ AttachedEbsStatus: { Status: 'ok' } });
    await expect(describeInstances({ Filters: [{ Name: 'block-device-mapping.colour' }] })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
      message: "The filter 'block-device-mapping.colour' is invalid",
    });
  });
});

describe('the default VPC', () => {
  it('is where instances are, as long as they are', async () => {
    const { Vpcs } = await call<ec2.DescribeVpcsResult>('DescribeVpcs', { Filters: [{ Name: 'is-default', Values: ['true'] }] }); // prettier-ignore
    const vpc = { Name: 'vpc-id', Values: [Vpcs?.[0]?.VpcId ?? ''] };
    const zone = { Name: 'availability-zone', Values: ['eu-central-1c'] };
    const { Subnets } = await call<ec2.DescribeSubnetsResult>('DescribeSubnets', { Filters: [vpc, zone] });
    expect(Subnets).toMatchObject([{ DefaultForAz: true, CidrBlock: '172.31.32.0/20' }]);
    const SubnetId = Subnets?.[0]?.SubnetId ?? '';
    const { SecurityGroups } = await call<ec2.DescribeSecurityGroupsResult>('DescribeSecurityGroups', { GroupNames: ['default'] }); // prettier-ignore
    const SecurityGroupIds = [SecurityGroups?.[0]?.GroupId ?? ''];
    const id = idOf(await launch({ SubnetId, SecurityGroupIds }));
    await expect.poll(() => stateOf(id)).toBe('running');
    const [found] = await describeInstances({ Filters: [{ Name: 'subnet-id', Values: [SubnetId] }, vpc] });
    expect(found).toMatchObject({
      ...{ InstanceId: id, VpcId: vpc.Values[0], SubnetId, Placement: { AvailabilityZone: 'eu-central-1c' } },
      SecurityGroups: [{ GroupId: SecurityGroupIds[0], GroupName: 'default' }],
      PrivateIpAddress: expect.stringMatching(/^172\.31\.(3[2-9]|4[0-7])\./) as string,
    });
    const Filters = [{ Name: 'attachment.instance-id', Values: [id] }];
    const interfaces = async () => (await call<ec2.DescribeNetworkInterfacesResult>('DescribeNetworkInterfaces', { Filters })).NetworkInterfaces; // prettier-ignore
    const PrivateIpAddress = found?.PrivateIpAddress;
    expect(await interfaces()).toMatchObject([{ NetworkInterfaceId: found?.NetworkInterfaces?.[0]?.NetworkInterfaceId, SubnetId, PrivateIpAddress }]); // prettier-ignore
    await call('TerminateInstances', { InstanceIds: [id] });
    await expect.poll(() => stateOf(id)).toBe('terminated');
    expect((await describeInstances({ InstanceIds: [id] }))[0]?.VpcId).toBeUndefined();
    expect(await interfaces()).toEqual([]);
  });

  it('is each account’s own, and has nothing but what is described', async () => {
    const bob = { accountId: '444455556666' };
    const one = await call<ec2.DescribeVpcsResult>('DescribeVpcs');
    const other = await call<ec2.DescribeVpcsResult>('DescribeVpcs', {}, bob);
    expect([one.Vpcs?.length, other.Vpcs?.length]).toEqual([1, 1]);
    const VpcId = one.Vpcs?.[0]?.VpcId;
    expect(VpcId).not.toBe(other.Vpcs?.[0]?.VpcId);
    await expect(call('DescribeVpcs', { VpcIds: [VpcId] }, bob)).rejects.toMatchObject({
      code: 'InvalidVpcID.NotFound',
    });
    const Filters = [{ Name: 'vpc-id', Values: [VpcId] }];
    const of = async (what: string, action: string) => (await call<Record<string, unknown[]>>(action, { Filters }))[what]?.length; // prettier-ignore
    expect(await of('RouteTables', 'DescribeRouteTables')).toBe(1);
    expect(await of('NetworkAcls', 'DescribeNetworkAcls')).toBe(1);
    expect(await of('SecurityGroups', 'DescribeSecurityGroups')).toBe(1);
    const attribute = { VpcId, Attribute: 'enableDnsSupport' };
    expect(await call('DescribeVpcAttribute', attribute)).toEqual({ VpcId, EnableDnsSupport: { Value: true } });
    expect(await call('DescribeKeyPairs')).toEqual({ KeyPairs: [] });
  });

  it.each([
    ['DescribeVpcs', { VpcIds: ['vpc-1'] }, 'InvalidVpcID.NotFound'],
    ['DescribeSubnets', { SubnetIds: ['subnet-1'] }, 'InvalidSubnetID.NotFound'],
    ['DescribeSecurityGroups', { GroupIds: ['sg-1'] }, 'InvalidGroup.NotFound'],
    ['DescribeSecurityGroups', { GroupNames: ['web'] }, 'InvalidGroup.NotFound'],
    ['DescribeSecurityGroupRules', { SecurityGroupRuleIds: ['sgr-1'] }, 'InvalidSecurityGroupRuleId.NotFound'],
    ['DescribeRouteTables', { RouteTableIds: ['rtb-1'] }, 'InvalidRouteTableID.NotFound'],
    ['DescribeInternetGateways', { InternetGatewayIds: ['igw-1'] }, 'InvalidInternetGatewayID.NotFound'],
    ['DescribeNetworkAcls', { NetworkAclIds: ['acl-1'] }, 'InvalidNetworkAclID.NotFound'],
    ['DescribeDhcpOptions', { DhcpOptionsIds: ['dopt-1'] }, 'InvalidDhcpOptionID.NotFound'],
    ['DescribeNetworkInterfaces', { NetworkInterfaceIds: ['eni-1'] }, 'InvalidNetworkInterfaceID.NotFound'],
    ['DescribeKeyPairs', { KeyNames: ['k'] }, 'InvalidKeyPair.NotFound'],
    ['DescribeAccountAttributes', { AttributeNames: ['x'] }, 'InvalidParameterValue'],
    ['DescribeVpcs', { Filters: [{ Name: 'colour', Values: ['red'] }] }, 'InvalidParameterValue'],
    ['DescribeSubnets', { MaxResults: 2 }, 'InvalidParameterValue'],
    ['DescribeSubnets', { DryRun: true }, 'DryRunOperation'],
    ['RebootInstances', { InstanceIds: ['i-0123456789abcdef0'] }, 'InvalidInstanceID.NotFound'],
    ['GetConsoleOutput', { InstanceId: 'i-0123456789abcdef0' }, 'InvalidInstanceID.NotFound'],
  ])('refuses %s %j with %s', async (action, input, code) => {
    await expect(call(action, input)).rejects.toMatchObject({ code });
  });

  it('offers every instance type in every zone, page by page', async () => {
    const Filters = [{ Name: 'instance-type', Values: ['t3.*'] }];
    const seen: string[] = [];
    let NextToken: string | undefined;
    do {
      const input = { LocationType: 'availability-zone', Filters, MaxResults: 10, NextToken };
      const page = await call<ec2.DescribeInstanceTypeOfferingsResult>('DescribeInstanceTypeOfferings', input);
      seen.push(...(page.InstanceTypeOfferings ?? []).map(({ InstanceType, Location }) => `${InstanceType ?? ''} ${Location ?? ''}`)); // prettier-ignore
      NextToken = page.NextToken;
    } while (NextToken);
    expect(new Set(seen).size).toBe(21);
    expect(seen).toHaveLength(21);
  });
});

describe('instances’ limits', () => {
  it('are of instances that have not ended', async () => {
    const carol = { accountId: '999900001111' };
    const wish = { ImageId: await imageId(), InstanceType: 't3.micro', MinCount: 1 };
    const tried = (MaxCount: number) => call<ec2.Reservation>('RunInstances', { ...wish, MaxCount }, carol);
    await expect(tried(INSTANCE_LIMIT + 1)).rejects.toMatchObject({
      code: 'InstanceLimitExceeded',
      message: `You have requested more instances (${String(INSTANCE_LIMIT + 1)}) than your current instance limit of ${String(INSTANCE_LIMIT)} allows for the specified instance type.`,
    });
    const { Instances = [] } = await tried(2);
    await expect(tried(INSTANCE_LIMIT - 1)).rejects.toMatchObject({ code: 'InstanceLimitExceeded' });
    await call('TerminateInstances', { InstanceIds: Instances.map(({ InstanceId }) => InstanceId) }, carol);
  });

  it('are of volumes by type', async () => {
    const BlockDeviceMappings = Array.from({ length: 27 }, (_, n) => ({
      DeviceName: `/dev/xvd${n < 26 ? 'b' : 'c'}${String.fromCharCode(97 + (n % 26))}`,
      Ebs: { VolumeSize: 1 },
    }));
    await expect(launch({ BlockDeviceMappings })).rejects.toMatchObject({ code: 'AttachmentLimitExceeded' });
  });
});
