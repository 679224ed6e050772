import type { ec2 } from '@holdfast/aws-protocol';
import { instant, type AttachmentRecord } from '@holdfast/contracts';
import { testContext } from '@holdfast/messaging/testing';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
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
  stack.bus.request<Output>('instances', action, input, testContext(5000, fields));
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
    [{ UserData: 'x' }, 'UnsupportedOperation'],
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
