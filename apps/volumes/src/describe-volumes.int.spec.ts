import type { ec2 } from '@holdfast/aws-protocol';
import { accountId, type AwsError, instanceId, type InstanceRecord, region } from '@holdfast/contracts';
import { testContext, TestSource } from '@holdfast/messaging/testing';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { start } from './service.ts';

const INSTANCE = instanceId('i-0123456789abcdef0');
const TERMINATED = instanceId('i-0fedcba9876543210');
const instance: InstanceRecord = {
  instanceId: INSTANCE,
  accountId: accountId('111122223333'),
  region: region('eu-central-1'),
  state: 'running',
  availabilityZone: 'eu-central-1a',
  instanceType: 't3.micro',
  hypervisor: 'nitro',
  maximumEbsAttachments: 27,
  ebsEncryptionSupported: true,
  hostId: 'host-1',
};
let stack: TestStack;
const ids: Record<string, string> = {};

const call = <Output>(action: string, input: object, fields = {}) =>
  stack.bus.request<Output>('volumes', action, input, testContext(60_000, fields));
const describeAll = (input: ec2.DescribeVolumesRequest = {}, fields = {}) =>
  call<ec2.DescribeVolumesResult>('DescribeVolumes', input, fields);
const create = async (input: ec2.CreateVolumeRequest, fields = {}) => {
  const zone = { AvailabilityZone: `${(fields as { region?: string }).region ?? 'eu-central-1'}a` };
  const { VolumeId = '' } = await call<ec2.Volume>('CreateVolume', { ...zone, Size: 1, ...input }, fields);
  const available = async () =>
    (await describeAll({ VolumeIds: [VolumeId] }, fields)).Volumes?.[0]?.State === 'available';
  await vi.waitUntil(available, { timeout: 60_000, interval: 20 });
  return VolumeId;
};
const tagged = (...Tags: ec2.Tag[]) => [{ ResourceType: 'volume', Tags }];

beforeAll(async () => {
  stack = await startTestStack(inject('postgresAdminUrl'));
  const { bus } = stack;
  await bus.serveRequests('data-plane', {
    AllocateVolume: () => Promise.resolve({ hostId: 'host-1' }),
    OpenExport: () => Promise.resolve({ socketPath: '/socket' }),
    CloseExport: () => Promise.resolve({}),
  });
  await bus.serveRequests('instances', {
    GetInstance: ({ instanceId: id }: { instanceId: string }) => Promise.resolve({ ...instance, instanceId: id }),
  });
  await bus.serveRequests('account-settings', {
    GetEncryptionDefaults: () => Promise.resolve({ encryptionByDefault: false, defaultKmsKeyId: null }),
  });
  await stack.start(start);
  ids['a'] = await create({ TagSpecifications: tagged({ Key: 'Name', Value: 'data' }, { Key: 'empty' }) });
  ids['b'] = await create({ Size: 20, VolumeType: 'gp3', TagSpecifications: tagged({ Key: 'Name', Value: '100%_x' }) });
  ids['c'] = await create({ AvailabilityZone: 'eu-central-1b', Size: 125, VolumeType: 'st1' });
  await call('AttachVolume', { VolumeId: ids['a'], InstanceId: INSTANCE, Device: '/dev/sdf' });
});
afterAll(() => stack.close());

describe('the filters of DescribeVolumes', () => {
  const names = async (...Filters: ec2.Filter[]) => {
    const { Volumes = [] } = await describeAll({ Filters });
    return Volumes.map(({ VolumeId }) => Object.keys(ids).find((name) => ids[name] === VolumeId)).join('');
  };
  it.each<[string, string[], string]>([
    ['status', ['available'], 'bc'],
    ['status', ['available', 'in-use'], 'abc'],
    ['status', ['in-*'], 'a'],
    ['size', ['1'], 'a'],
    ['size', ['?2?', '20'], 'bc'],
    ['encrypted', ['false'], 'abc'],
    ['encrypted', ['true'], ''],
    ['volume-type', ['gp*'], 'ab'],
    ['volume-type', ['GP2'], ''],
    ['availability-zone', ['eu-central-1b'], 'c'],
    ['availability-zone-id', ['euc1-az1'], 'ab'],
    ['create-time', ['20*'], 'abc'],
    ['snapshot-id', [''], 'abc'],
    ['fast-restored', ['false'], 'abc'],
    ['multi-attach-enabled', ['true'], ''],
    ['operator.managed', ['false'], 'abc'],
    ['operator.principal', ['*'], ''],
    ['attachment.instance-id', [INSTANCE], 'a'],
    ['attachment.device', ['/dev/sd*'], 'a'],
    ['attachment.status', ['attached'], 'a'],
    ['attachment.delete-on-termination', ['false'], 'a'],
    ['attachment.attach-time', ['*'], 'a'],
    ['tag:Name', ['data'], 'a'],
    ['tag:Name', ['*'], 'ab'],
    ['tag:Name', ['100%_*'], 'b'],
    ['tag:Name', ['1__%*'], ''],
    ['tag:name', ['data'], ''],
    ['tag-key', ['empty'], 'a'],
    ['tag-key', ['N*'], 'ab'],
    ['tag-value', ['data', ''], 'a'],
    ['volume-id', [], ''],
  ])('%s=%j: %s', async (Name, Values, expected) => {
    expect(await names({ Name, Values })).toBe(expected);
  });
  it('must all match', async () => {
    expect(await names({ Name: 'volume-type', Values: ['gp*'] }, { Name: 'status', Values: ['available'] })).toBe('b');
  });
  it.each(['kms-key-id', 'Status', 'tag:'])('do not include %s', async (Name) => {
    await expect(describeAll({ Filters: [{ Name, Values: ['x'] }] })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
      message: `The filter '${Name}' is invalid`,
    });
  });
  it('narrow explicit ids, which must exist', async () => {
    const Filters = [{ Name: 'status', Values: ['in-use'] }];
    const { Volumes } = await describeAll({ VolumeIds: [ids['a'] ?? '', ids['b'] ?? ''], Filters });
    expect(Volumes?.map(({ VolumeId }) => VolumeId)).toEqual([ids['a']]);
    await expect(describeAll({ VolumeIds: [ids['a'] ?? '', 'vol-0123456789abcdef0'], Filters })).rejects.toMatchObject({
      code: 'InvalidVolume.NotFound',
      message: "The volume 'vol-0123456789abcdef0' does not exist.",
    });
  });
});

describe('the parameters of DescribeVolumes', () => {
  it.each<[ec2.DescribeVolumesRequest, string, string?]>([
    [{ VolumeIds: ['x'] }, 'InvalidParameterValue', "Value (x) for parameter volumes is invalid. Expected: 'vol-...'."],
    [{ VolumeIds: ['vol-00000000000000000'] }, 'InvalidParameterValue'],
    [{ VolumeIds: [''] }, 'MissingParameter', 'The request must contain the parameter volumes'],
    [{ MaxResults: 4 }, 'InvalidParameterValue'],
    [{ VolumeIds: ['vol-0123456789abcdef0'], MaxResults: 5 }, 'InvalidParameterCombination'],
    [{ NextToken: 'x' }, 'InvalidParameterValue', 'Unable to parse pagination token'],
    [{ DryRun: true, VolumeIds: ['x'] }, 'DryRunOperation'],
  ])('%j: %s', async (input, code, message) => {
    await expect(describeAll(input)).rejects.toMatchObject(message === undefined ? { code } : { code, message });
  });
});

describe('tags of volumes', () => {
  const tagsOf = async (id: string) => (await describeAll({ VolumeIds: [id] })).Volumes?.[0]?.Tags;
  it('are set, replaced and taken away', async () => {
    const id = await create({});
    await call('CreateTags', { Resources: [id], Tags: [{ Key: 'a', Value: '1' }, { Key: 'b', Value: '2' }] }); // prettier-ignore
    await call('CreateTags', { Resources: [id], Tags: [{ Key: 'a', Value: '3' }] });
    expect(await tagsOf(id)).toEqual([{ Key: 'a', Value: '3' }, { Key: 'b', Value: '2' }]); // prettier-ignore
    await call('DeleteTags', { Resources: [id], Tags: [{ Key: 'a', Value: '1' }, { Key: 'b' }] }); // prettier-ignore
    expect(await tagsOf(id)).toEqual([{ Key: 'a', Value: '3' }]);
    await call('DeleteTags', { Resources: [id] });
    expect(await tagsOf(id)).toEqual([]);
  });
  it('are set on all of the resources or on none', async () => {
    const id = await create({});
    await expect(
      call('CreateTags', { Resources: [id, 'vol-0123456789abcdef0'], Tags: [{ Key: 'a' }] }),
    ).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    expect(await tagsOf(id)).toEqual([]);
  });
  it.each<[string, string[], string[]]>([
    ['key', ['Name'], ['data', '100%_x']],
    ['value', ['data'], ['data']],
    ['tag:Name', ['100*'], ['100%_x']],
    ['resource-type', ['snapshot'], []],
    ['resource-type', ['volume'], ['data', '', '100%_x']],
  ])('are found by %s=%j', async (Name, Values, expected) => {
    const { Tags = [] } = await call<ec2.DescribeTagsResult>('DescribeTags', { Filters: [{ Name, Values }] });
    expect(Tags.map(({ Value }) => Value).sort()).toEqual([...expected].sort());
    for (const tag of Tags)
      expect(tag).toMatchObject({ ResourceType: 'volume', ResourceId: expect.any(String) as string });
  });
});

describe('the end of an instance', () => {
  it('detaches what it held, and leaves the rest', async () => {
    const id = await create({});
    await call('AttachVolume', { VolumeId: id, InstanceId: TERMINATED, Device: '/dev/sdf' });
    const source = new TestSource(stack.bus, 'instances');
    await source.createStream();
    await source.emit(`instance-${TERMINATED}`, 'InstanceTerminated', { instanceId: TERMINATED });
    await expect
      .poll(async () => (await describeAll({ VolumeIds: [id] })).Volumes?.[0])
      .toMatchObject({ State: 'available', Attachments: [] });
    expect((await describeAll({ VolumeIds: [ids['a'] ?? ''] })).Volumes?.[0]?.State).toBe('in-use');
  });
});

describe('a thousand volumes', () => {
  const there = { region: region('eu-west-1') };
  beforeAll(async () => {
    const created = Array.from({ length: 1000 }, (_, i) => i);
    for (let i = 0; i < created.length; i += 50)
      await Promise.all(
        created
          .slice(i, i + 50)
          .map((n) => call('CreateVolume', { AvailabilityZone: 'eu-west-1a', Size: (n % 100) + 1 }, there)),
      );
  }, 300_000);

  it('are described in well under a second', async () => {
    const { Volumes = [], NextToken } = await describeAll({}, there);
    expect(Volumes).toHaveLength(1000);
    expect(NextToken).toBeUndefined();
    // Once, however much else the machine does: it may still be making these volumes.
    const took = async () => {
      const began = performance.now();
      await describeAll({}, there);
      return performance.now() - began;
    };
    await expect.poll(took).toBeLessThan(1000);
  });

  it('come page by page, each once, in one order', async () => {
    const seen: (string | undefined)[] = [];
    let NextToken: string | undefined;
    do {
      const page = await describeAll({ MaxResults: 300, NextToken }, there);
      seen.push(...(page.Volumes ?? []).map(({ VolumeId }) => VolumeId));
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    expect(seen).toHaveLength(1000);
    expect(new Set(seen).size).toBe(1000);
    const { Volumes = [] } = await describeAll({}, there);
    expect(seen).toEqual(Volumes.map(({ VolumeId }) => VolumeId));
  });

  it('have tokens that serve their account and Region only', async () => {
    const { NextToken } = await describeAll({ MaxResults: 5 }, there);
    for (const fields of [{}, { ...there, accountId: accountId('444455556666') }])
      await expect(describeAll({ NextToken }, fields)).rejects.toSatisfy(
        (error: AwsError) => error.message === 'Unable to parse pagination token',
      );
  });
});
