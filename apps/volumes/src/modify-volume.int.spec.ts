import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type HostAttachment } from '@holdfast/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { VolumesStack } from './testing/volumes-stack.ts';

const volumes = new VolumesStack();
beforeAll(() => volumes.start(inject('postgresAdminUrl')));
beforeEach(volumes.forget);
afterAll(() => volumes.close());
const { dataPlane, kms, call, describeOne, ready, launch, attach, create, settled } = volumes;

const modify = async (VolumeId: string, input: Partial<ec2.ModifyVolumeRequest>) =>
  (await call<ec2.ModifyVolumeResult>('ModifyVolume', { VolumeId, ...input })).VolumeModification;
const modifications = async (input: ec2.DescribeVolumesModificationsRequest) =>
  (await call<ec2.DescribeVolumesModificationsResult>('DescribeVolumesModifications', input)).VolumesModifications ??
  [];
const latest = async (id: string) => (await modifications({ VolumeIds: [id] }))[0];
/** Hours that the service is ahead: it is turned on, in place of waiting for a volume to be optimized. */
let ahead = 0;
const ended = async (id: string, state = 'completed') => {
  if (state === 'completed') await volumes.turnClock((ahead += 3 / 3600));
  await vi.waitUntil(async () => (await latest(id))?.ModificationState === state, { timeout: 60_000, interval: 50 });
  return latest(id);
};
const statuses = async (input: ec2.DescribeVolumeStatusRequest) =>
  (await call<ec2.DescribeVolumeStatusResult>('DescribeVolumeStatus', input)).VolumeStatuses ?? [];

describe('ModifyVolume', () => {
  it('goes from modifying by way of optimizing to completed, and uses no key', async () => {
    const id = await ready({ Encrypted: true, KmsKeyId: kms.key() });
    await attach(id, launch());
    kms.take();
    const whole = {
      VolumeId: id,
      OriginalSize: 1,
      OriginalVolumeType: 'gp2',
      OriginalIops: 100,
      OriginalMultiAttachEnabled: false,
      TargetSize: 4,
      TargetVolumeType: 'gp3',
      TargetIops: 3000,
      TargetThroughput: 125,
      TargetMultiAttachEnabled: false,
    };
    dataPlane.refuse = { GrowVolume: new AwsError({ code: 'ServiceUnavailable', status: 503 }) };
    const began = await modify(id, { Size: 4, VolumeType: 'gp3' });
    expect(began).toEqual({ ...whole, ModificationState: 'modifying', Progress: 0, StartTime: began?.StartTime });
    expect(began?.StartTime).toMatch(/:\d\d\.000Z$/);
    await expect(modify(id, { Iops: 4000 })).rejects.toMatchObject({ code: 'IncorrectModificationState' });
    await volumes.turnClock(ahead - 1); // Being optimized lasts until the time of its end has come.
    dataPlane.refuse = {};
    await ended(id, 'optimizing');
    expect(await describeOne(id)).toMatchObject({ Size: 4, VolumeType: 'gp3', Iops: 3000, Throughput: 125, State: 'in-use' }); // prettier-ignore
    expect((await latest(id))?.Progress).toBeLessThan(100);
    await expect(modify(id, { Iops: 4000 })).rejects.toMatchObject({
      code: 'IncorrectModificationState',
      message: `Volume ${id} cannot be modified in modification state OPTIMIZING`,
    });
    const done = await ended(id);
    expect(done).toMatchObject({ ...whole, Progress: 100 });
    expect(done?.EndTime).toMatch(/:\d\d\.000Z$/);
    expect(kms.take()).toEqual([]);
    expect(dataPlane.allocated.get(id)).toMatchObject({ sizeGiB: 4 });
    const before = { volumeType: 'gp2', sizeGiB: 1, iops: 100, throughputMiBps: null };
    expect(dataPlane.exports.get(id)?.performance).toEqual(before);
    const after = { volumeType: 'gp3', sizeGiB: 4, iops: 3_000, throughputMiBps: 125 };
    expect(dataPlane.performance.get(id)).toEqual(after);
    const { attachments } = await call<{ attachments: HostAttachment[] }>('ListHostAttachments', { hostId: 'host-1' });
    expect(attachments.find(({ volumeId }) => volumeId === id)?.performance).toEqual(after);
    expect(await call('GetVolume', { volumeId: id })).toMatchObject({ sizeGiB: 4, volumeType: 'gp3' });
  });

  it('is asked for four times a day, a request for what there is already included', { timeout: 300_000 }, async () => {
    const id = await ready();
    for (let i = 0; i < 4; i++) {
      await modify(id, { VolumeType: 'gp2' });
      await ended(id);
    }
    await expect(modify(id, { VolumeType: 'gp2' })).rejects.toMatchObject({
      code: 'VolumeModificationRateExceeded',
      message: expect.stringMatching(
        /^You've reached the maximum modification rate per volume limit\. Wait until \d{4}-\d\d-\d\dT[\d:.]+Z before you can issue the next modification request for this volume\.$/,
      ) as string,
    });
  });

  it('fails where the host refuses to grow, and leaves the volume as it was', async () => {
    const id = await ready();
    dataPlane.refuse['GrowVolume'] = new AwsError({ code: 'InsufficientVolumeCapacity', message: 'no room' });
    await modify(id, { Size: 2 });
    expect(await ended(id, 'failed')).toMatchObject({ StatusMessage: 'no room' });
    expect(await describeOne(id)).toMatchObject({ Size: 1 });
    dataPlane.refuse = { CheckGrowth: new AwsError({ code: 'InsufficientVolumeCapacity', message: 'no room' }) };
    await expect(modify(id, { Size: 2 })).rejects.toMatchObject({ code: 'InsufficientVolumeCapacity' });
  });

  it('comes to the same when the answer to GrowVolume is lost', async () => {
    const id = await ready();
    const times = volumes.loseAnswerTo('GrowVolume');
    await modify(id, { Size: 3 });
    expect(await ended(id)).toMatchObject({ TargetSize: 3 });
    expect(times()).toBeGreaterThan(1);
  });

  it.each<[Partial<ec2.ModifyVolumeRequest>, string, string?]>([
    [{}, 'InvalidParameterValue', 'Invalid input: Must specify at least one of size, type, iops, throughput or multi-attach.'],
    [{ Size: 0 }, 'InvalidParameterValue', 'Value (0) for parameter size is invalid. Value must be a positive integer.'],
    [{ VolumeType: 'io1', Iops: 10 }, 'InvalidParameterValue', 'Volume iops of 10 is too low; minimum is 100.'],
    [{ Iops: 500 }, 'InvalidParameterCombination', 'The parameter iops is not supported for gp2 volumes.'],
    [{ VolumeType: 'st1' }, 'InvalidParameterValue'],
    [{ MultiAttachEnabled: true }, 'InvalidParameterCombination', 'The parameter multi-attach-enabled is not supported for gp2 volumes.'],
    [{ Size: 9, DryRun: true }, 'DryRunOperation'],
    [{ VolumeId: 'x', DryRun: true }, 'DryRunOperation'],
    [{ VolumeId: '' }, 'MissingParameter'],
    [{ VolumeId: 'x', Size: 9 }, 'InvalidVolumeID.Malformed'],
    [{ VolumeId: 'vol-0123456789abcdef0', Size: 9 }, 'InvalidVolume.NotFound'],
  ])('refuses %j', async (input, code, message) => {
    const refused = modify(await ready({ Size: 8 }), input);
    await expect(refused).rejects.toMatchObject(message === undefined ? { code } : { code, message });
  }); // prettier-ignore

  it('makes a volume one that is shared, and counts it against the account', async () => {
    const id = await ready({ Size: 4, VolumeType: 'io2', Iops: 100 });
    expect(await modify(id, { MultiAttachEnabled: true })).toMatchObject({
      OriginalMultiAttachEnabled: false,
      TargetMultiAttachEnabled: true,
    });
    await ended(id);
    expect(await describeOne(id)).toMatchObject({ MultiAttachEnabled: true });
    const filters = [
      { Name: 'volume-id', Values: [id] },
      { Name: 'targetMultiAttachEnabled', Values: ['true'] },
    ];
    expect(await modifications({ Filters: filters })).toHaveLength(1);
    await expect(modify(id, { VolumeType: 'gp3' })).rejects.toMatchObject({ code: 'InvalidParameterCombination' });
    await attach(id, launch());
    await expect(modify(id, { MultiAttachEnabled: false })).rejects.toMatchObject({ code: 'IncorrectState' });
    await expect(modify(id, { Size: 400, Iops: 256_000 })).resolves.toBeDefined();
    await ended(id);
    const { Size, Iops } = { Size: 400, Iops: 256_000 };
    await expect(create({ VolumeType: 'io2', Size, Iops })).rejects.toMatchObject({
      code: 'MaxIOPSLimitExceeded',
      message: expect.stringContaining(
        'You have exceeded your maximum io2 IOPS limit of 300000 in this region.',
      ) as string,
    });
  });

  it('refuses to shrink, and a volume that is not there yet', async () => {
    const id = await ready({ Size: 8 });
    await expect(modify(id, { Size: 7 })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
      message: 'New size cannot be smaller than existing size',
    });
    dataPlane.refuse['AllocateVolume'] = new AwsError({ code: 'InProgress', message: '' });
    const { VolumeId: creating = '' } = await create();
    await expect(modify(creating, { Size: 9 })).rejects.toMatchObject({
      code: 'IncorrectState',
      message: `Volume ${creating} must be in the available or in-use state to be modified.`,
    });
    expect(await statuses({}).then((all) => all.some(({ VolumeId }) => VolumeId === creating))).toBe(false);
  });
});

describe('DescribeVolumesModifications', () => {
  it('lists the latest of each, by state, configuration and volume', async () => {
    const id = await ready();
    await modify(id, { VolumeType: 'gp3' });
    await ended(id);
    const own = { Name: 'volume-id', Values: [id] };
    const found = (Name: string, ...Values: string[]) =>
      modifications({ Filters: [own, { Name, Values }] }).then(({ length }) => length);
    for (const [name, value] of [
      ['modification-state', 'completed'],
      ['original-iops', '100'],
      ['original-size', '1'],
      ['original-volume-type', 'gp2'],
      ['originalMultiAttachEnabled', 'false'],
      ['target-multi-attach-enabled', 'false'],
      ['target-iops', '3000'],
      ['target-size', '1'],
      ['target-volume-type', 'gp3'],
      ['start-time', '20*'],
    ] as const) {
      expect(await found(name, value)).toBe(1);
      expect(await found(name, 'x')).toBe(0);
    }
    const [first] = await modifications({ MaxResults: 5 });
    expect(first?.VolumeId).toBeDefined();
    await call('DeleteVolume', { VolumeId: id });
    await settled(id, 'InvalidVolume.NotFound');
    await expect.poll(() => modifications({ Filters: [own] })).toEqual([]);
  });

  it('tells a volume never modified from none', async () => {
    const id = await ready();
    await expect(latest(id)).rejects.toMatchObject({
      code: 'InvalidVolumeModification.NotFound',
      message: `Modification for volume '${id}' does not exist.`,
    });
    await expect(latest('vol-0123456789abcdef0')).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    await expect(latest('x')).rejects.toMatchObject({ code: 'InvalidParameterValue' });
    await expect(modifications({ DryRun: true })).rejects.toMatchObject({ code: 'DryRunOperation' });
    const ids = { VolumeIds: [id] };
    for (const [input, message] of [
      [{ ...ids, MaxResults: 5 }, 'The parameter volumeModificationSet cannot be used with the parameter maxResults'],
      [{ ...ids, NextToken: 'x' }, 'The parameter volumeModificationSet cannot be used with the parameter nextToken'],
      [{ MaxResults: 4 }, 'Value ( 4 ) for parameter MaxResults is invalid. Expecting a value greater than 5.'],
      [{ NextToken: 'x' }, 'Value ( x ) for parameter NextToken is invalid. The token is Invalid.'],
    ] as const)
      await expect(modifications(input)).rejects.toMatchObject({ message });
  });
});

describe('attributes and status', () => {
  it('are kept, and described', async () => {
    const id = await ready();
    const described = (Attribute: string) => call('DescribeVolumeAttribute', { VolumeId: id, Attribute });
    expect(await described('autoEnableIO')).toEqual({ VolumeId: id, AutoEnableIO: { Value: false } });
    await call('ModifyVolumeAttribute', { VolumeId: id, AutoEnableIO: { Value: true } });
    expect(await described('autoEnableIO')).toEqual({ VolumeId: id, AutoEnableIO: { Value: true } });
    expect(await described('productCodes')).toEqual({ VolumeId: id, ProductCodes: [] });
    const instance = launch();
    await attach(id, instance);
    const [status] = await statuses({ VolumeIds: [id] });
    expect(status).toMatchObject({
      VolumeId: id,
      AvailabilityZone: 'eu-central-1a',
      VolumeStatus: {
        Status: 'ok',
        Details: [
          { Name: 'io-enabled', Status: 'passed' },
          { Name: 'io-performance', Status: 'not-applicable' },
        ],
      },
      Actions: [],
      Events: [],
      AttachmentStatuses: [{ InstanceId: instance }],
    });
    const filtered = (Name: string, Value: string) =>
      statuses({ VolumeIds: [id], Filters: [{ Name, Values: [Value] }] });
    expect(await filtered('volume-status.status', 'ok')).toHaveLength(1);
    expect(await filtered('volume-status.status', 'impaired')).toEqual([]);
    expect(await filtered('volume-status.details-name', 'io-enabled')).toHaveLength(1);
    expect(await filtered('event.event-id', '*')).toEqual([]);
  });

  it('tell how far a volume made from a snapshot is, as its host does', async () => {
    const { snapshotId: SnapshotId } = volumes.snapshotUnder(null);
    const plain = await ready({ SnapshotId });
    const paced = await ready({ SnapshotId, VolumeInitializationRate: 200 });
    expect(await describeOne(paced)).toMatchObject({ VolumeInitializationRate: 200 });
    expect(dataPlane.allocated.get(paced)).toMatchObject({ initializationRateMiBps: 200 });
    dataPlane.initializing.set(paced, [40, 25]);
    const [done, under] = await Promise.all([plain, paced].map(async (id) => (await statuses({ VolumeIds: [id] }))[0]));
    expect(done?.InitializationStatusDetails).toEqual({ InitializationType: 'default', Progress: 100 });
    expect(done?.VolumeStatus?.Details).toContainEqual({ Name: 'initialization-state', Status: 'completed' });
    expect(under?.InitializationStatusDetails).toEqual({
      InitializationType: 'provisioned-rate',
      Progress: 40,
      EstimatedTimeToCompleteInSeconds: 25,
    });
    const own = { VolumeIds: [plain, paced] };
    const having = async (Value: string) =>
      (await statuses({ ...own, Filters: [{ Name: 'volume-status.details-status', Values: [Value] }] })).map(
        ({ VolumeId }) => VolumeId,
      );
    expect(await having('initializing')).toEqual([paced]);
    expect(await having('comp*')).toEqual([plain]);
    expect(await having('passed')).toEqual([plain, paced]);
    const named = { Name: 'volume-status.details-name', Values: ['initialization-state'] };
    expect(await statuses({ ...own, Filters: [named] })).toHaveLength(2);
    expect(await statuses({ VolumeIds: [await ready()], Filters: [named] })).toEqual([]);
  });

  const absent = 'vol-0123456789abcdef0';
  it.each<[string, object, string, string?]>([
    ['DescribeVolumeAttribute', { Attribute: 'autoEnableIO' }, 'MissingParameter', 'Value (null) for parameter volumeId is invalid. Parameter may not be null or empty.'],
    ['DescribeVolumeAttribute', { VolumeId: 'x', Attribute: 'autoEnableIO' }, 'InvalidParameterValue', "Value (x) for parameter volumeId is invalid. Expected: 'vol-...'."],
    ['DescribeVolumeAttribute', { VolumeId: 'vol-x', Attribute: 'autoEnableIO' }, 'InvalidVolumeID.Malformed', 'Value ( vol-x ) for parameter VOLUME is invalid. '],
    ['DescribeVolumeAttribute', { VolumeId: absent }, 'InvalidParameterCombination', 'No attributes specified.'],
    ['DescribeVolumeAttribute', { VolumeId: absent, Attribute: 'a' }, 'InvalidParameterValue', 'Value (a) for parameter attribute is invalid. Unknown attribute.'],
    ['DescribeVolumeAttribute', { VolumeId: absent, Attribute: 'productCodes' }, 'InvalidVolume.NotFound'],
    ['ModifyVolumeAttribute', { AutoEnableIO: { Value: true } }, 'MissingParameter', 'The request must contain the parameter volumeId'],
    ['ModifyVolumeAttribute', { VolumeId: 'x', AutoEnableIO: { Value: true } }, 'InvalidVolumeID.Malformed', "The volume ID 'x' is malformed"],
    ['ModifyVolumeAttribute', { VolumeId: absent }, 'InvalidParameterCombination', 'No attributes specified.'],
    ['ModifyVolumeAttribute', { VolumeId: absent, AutoEnableIO: { Value: true } }, 'InvalidVolume.NotFound'],
    ['DescribeVolumeAttribute', { VolumeId: 'x', Attribute: 'autoEnableIO', DryRun: true }, 'DryRunOperation'],
    ['ModifyVolumeAttribute', { VolumeId: 'x', DryRun: true }, 'DryRunOperation'],
    ['EnableVolumeIO', { VolumeId: 'x', DryRun: true }, 'DryRunOperation'],
    ['EnableVolumeIO', {}, 'MissingParameter'],
    ['EnableVolumeIO', { VolumeId: 'x' }, 'InvalidVolumeID.Malformed'],
    ['EnableVolumeIO', { VolumeId: absent }, 'InvalidVolume.NotFound'],
    ['DescribeVolumeStatus', { VolumeIds: ['x'] }, 'InvalidVolumeID.Malformed', 'Invalid id: "x" (expecting "vol-...")'],
    ['DescribeVolumeStatus', { VolumeIds: [absent] }, 'InvalidVolume.NotFound'],
    ['DescribeVolumeStatus', { Filters: [{ Name: 'volume-type', Values: ['gp2'] }] }, 'InvalidParameterValue'],
    ['DescribeVolumeStatus', { DryRun: true }, 'DryRunOperation'],
  ])('%s refuses %j', async (action, input, code, message) => {
    await expect(call(action, input)).rejects.toMatchObject(message === undefined ? { code } : { code, message });
  }); // prettier-ignore

  it('EnableVolumeIO finds it enabled', async () => {
    const id = await ready();
    await expect(call('EnableVolumeIO', { VolumeId: id })).rejects.toMatchObject({
      code: 'IncorrectState',
      message: `Volume ${id} already has IO enabled.`,
    });
  });
});
