import type { ec2 } from '@holdfast/aws-protocol';
import { testContext } from '@holdfast/messaging/testing';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { start } from './service.ts';
import { FakeVolumes } from './testing/fake-volumes.ts';

let stack: TestStack;
const fake = new FakeVolumes();
beforeAll(async () => {
  stack = await startTestStack(inject('postgresAdminUrl'));
  await stack.bus.serveRequests('volumes', fake.handlers);
  await stack.start(start, { hostId: 'host-1' });
});
beforeEach(() => {
  fake.volumes.clear();
  fake.calls.length = 0;
  fake.creationFailure = fake.attachFailure = fake.resumeFailure = null;
  fake.plan = {};
});
afterAll(() => stack.close());

const call = <Output>(action: string, input: object = {}, fields = {}) =>
  stack.bus.request<Output>('instances', action, input, testContext(60_000, fields));
const launch = async (input: Partial<ec2.RunInstancesRequest> = {}) => {
  const { Images } = await call<ec2.DescribeImagesResult>('DescribeImages', { Owners: ['amazon'] });
  const wish = { ImageId: Images?.[0]?.ImageId, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, ...input };
  return (await call<ec2.Reservation>('RunInstances', wish)).Instances?.[0]?.InstanceId ?? '';
};
const describeOne = async (id: string) =>
  (await call<ec2.DescribeInstancesResult>('DescribeInstances', { InstanceIds: [id] })).Reservations?.[0]
    ?.Instances?.[0];
const reaches = async (id: string, state: string) => {
  await expect.poll(async () => (await describeOne(id))?.State?.Name).toBe(state);
  return describeOne(id);
};
const data = { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, DeleteOnTermination: false } };
const KMS_STATE = {
  Code: 'Client.InvalidKMSKey.InvalidState',
  Message: 'Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state',
};

describe('a launch', () => {
  it('makes each volume once, attaches it, and runs then', async () => {
    const id = await launch({ BlockDeviceMappings: [data] });
    const running = await reaches(id, 'running');
    expect(running?.BlockDeviceMappings).toMatchObject([
      { DeviceName: '/dev/xvda', Ebs: { Status: 'attached', DeleteOnTermination: true } },
      { DeviceName: '/dev/sdf', Ebs: { Status: 'attached', DeleteOnTermination: false } },
    ]);
    expect([...fake.volumes.values()].map(({ input }) => input.Size)).toEqual([8, 1]);
  });

  it('keeps what encryption by default said when it was asked for', async () => {
    fake.plan = { encrypted: true };
    await reaches(await launch(), 'running');
    expect([...fake.volumes.values()].map(({ input }) => input.Encrypted)).toEqual([true]);
  });

  it('whose key cannot be used ends, and leaves no volume unattached', async () => {
    fake.creationFailure = 'arn:aws:kms:eu-central-1:111122223333:key/k is disabled.';
    const id = await launch({ BlockDeviceMappings: [data] });
    expect((await reaches(id, 'terminated'))?.StateReason).toEqual(KMS_STATE);
    expect([...fake.volumes.keys()].filter((name) => name.endsWith('xvda'))).toEqual([]);
  });

  it('whose device cannot be opened ends, and leaves nothing behind', async () => {
    fake.attachFailure = 'User: x is not authorized to perform: kms:CreateGrant';
    const id = await launch();
    expect((await reaches(id, 'terminated'))?.StateReason?.Message).toBe(
      'Client.InternalError: Client error on launch',
    );
    expect(fake.volumes.size).toBe(0);
  });

  it.each<[object, string, string?]>([
    [[{ DeviceName: '/dev/sdf' }], 'InvalidBlockDeviceMapping', 'Either snapshot ID or volume size must be provided for: /dev/sdf'],
    [[{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 4 } }], 'InvalidBlockDeviceMapping'],
    [[{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 500, VolumeType: 'sc1' } }], 'BootForVolumeTypeUnsupported'],
    [[{ DeviceName: '/dev/xvda', NoDevice: '' }], 'InvalidBlockDeviceMapping'],
    [[data, data], 'InvalidBlockDeviceMapping'],
    [[{ DeviceName: 'sdf', Ebs: { VolumeSize: 1 } }], 'InvalidParameterValue'],
    [[{ DeviceName: '/dev/sdf', VirtualName: 'ephemeral0' }], 'UnsupportedOperation'],
    [[{ DeviceName: '/dev/sdf', Ebs: { SnapshotId: 'snap-absent' } }], 'InvalidSnapshot.NotFound', "The snapshot 'snap-absent' does not exist."],
  ])('is refused with %j', async (BlockDeviceMappings, code, message) => {
    const refused = launch({ BlockDeviceMappings } as never);
    await expect(refused).rejects.toMatchObject(message === undefined ? { code } : { code, message });
  }); // prettier-ignore

  it('says which size the snapshot needs', async () => {
    const small = launch({ BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 4 } }] });
    await expect(small).rejects.toMatchObject({
      message: expect.stringMatching(
        /^Volume of size 4GB is smaller than snapshot 'snap-\w+', expect size >= 8GB$/,
      ) as string,
    });
  });

  it('is refused for a type that cannot use encrypted volumes', async () => {
    fake.plan = { encrypted: true };
    await expect(launch({ InstanceType: 't1.micro' })).rejects.toMatchObject({ code: 'InvalidParameterCombination' });
  });
});

describe('StopInstances and StartInstances', () => {
  const stop = (...InstanceIds: string[]) => call<ec2.StopInstancesResult>('StopInstances', { InstanceIds });
  const begin = (...InstanceIds: string[]) => call<ec2.StartInstancesResult>('StartInstances', { InstanceIds });
  const open = () => [...fake.volumes.values()].map((volume) => volume.open);

  it('close the devices and open them again', async () => {
    const id = await launch();
    await reaches(id, 'running');
    expect((await stop(id)).StoppingInstances).toEqual([
      { InstanceId: id, PreviousState: { Code: 16, Name: 'running' }, CurrentState: { Code: 64, Name: 'stopping' } },
    ]);
    const stopped = await reaches(id, 'stopped');
    expect(stopped?.StateTransitionReason).toMatch(/^User initiated \(20/);
    expect(open()).toEqual([false]);
    expect((await stop(id)).StoppingInstances?.[0]?.CurrentState?.Name).toBe('stopped');
    expect((await begin(id)).StartingInstances?.[0]?.CurrentState).toEqual({ Code: 0, Name: 'pending' });
    expect(await reaches(id, 'running')).toMatchObject({ StateTransitionReason: '' });
    expect(open()).toEqual([true]);
    expect((await begin(id)).StartingInstances?.[0]?.CurrentState?.Name).toBe('running');
  });

  it('leave an instance stopped whose key is dead', async () => {
    const id = await launch();
    await reaches(id, 'running');
    await stop(id);
    await reaches(id, 'stopped');
    fake.resumeFailure = 'arn:aws:kms:eu-central-1:111122223333:key/k is pending deletion.';
    await begin(id);
    await expect.poll(async () => (await describeOne(id))?.StateReason).toEqual(KMS_STATE);
    expect((await describeOne(id))?.State?.Name).toBe('stopped');
    expect(open()).toEqual([false]);
  });

  it('are refused for what cannot be stopped or started', async () => {
    const ended = await launch();
    await reaches(ended, 'running');
    await call('TerminateInstances', { InstanceIds: [ended] });
    await reaches(ended, 'terminated');
    await expect(begin(ended)).rejects.toMatchObject({
      code: 'IncorrectInstanceState',
      message: `The instance '${ended}' is not in a state from which it can be started.`,
    });
    await expect(stop('i-0123456789abcdef0')).rejects.toMatchObject({ code: 'InvalidInstanceID.NotFound' });
    const dry = call('StopInstances', { InstanceIds: [ended], DryRun: true });
    await expect(dry).rejects.toMatchObject({ code: 'DryRunOperation' });
  });

  it('protect from termination what says so', async () => {
    const id = await launch({ DisableApiTermination: true });
    await reaches(id, 'running');
    await expect(call('TerminateInstances', { InstanceIds: [id] })).rejects.toMatchObject({
      code: 'OperationNotPermitted',
      message: `The instance '${id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
    });
  });
});

describe('what is told of instances', () => {
  it('are attributes, which change', async () => {
    const id = await launch({ BlockDeviceMappings: [data] });
    await reaches(id, 'running');
    const described = (Attribute: string) => call('DescribeInstanceAttribute', { InstanceId: id, Attribute });
    expect(await described('rootDeviceName')).toEqual({ InstanceId: id, RootDeviceName: { Value: '/dev/xvda' } });
    expect(await described('instanceType')).toEqual({ InstanceId: id, InstanceType: { Value: 't3.micro' } });
    const modify = (input: object) => call('ModifyInstanceAttribute', { InstanceId: id, ...input });
    const mapping = { DeviceName: '/dev/sdf', Ebs: { DeleteOnTermination: true } };
    await modify({ BlockDeviceMappings: [mapping] });
    expect(await described('blockDeviceMapping')).toMatchObject({ BlockDeviceMappings: [{}, mapping] });
    await modify({ DisableApiTermination: { Value: true } });
    expect(await described('disableApiTermination')).toMatchObject({ DisableApiTermination: { Value: true } });
    await expect(call('TerminateInstances', { InstanceIds: [id] })).rejects.toMatchObject({ code: 'OperationNotPermitted' }); // prettier-ignore
    await modify({ Attribute: 'disableApiTermination', Value: 'false' });
    await call('TerminateInstances', { InstanceIds: [id] });
    await expect(modify({})).rejects.toMatchObject({ code: 'InvalidParameterCombination' });
    await expect(modify({ Kernel: { Value: 'aki-1' } })).rejects.toMatchObject({ code: 'UnsupportedOperation' });
    await expect(described('x')).rejects.toMatchObject({ code: 'InvalidParameterValue' });
    const other = { InstanceId: id, Attribute: 'instanceType' };
    await expect(call('DescribeInstanceAttribute', other, { accountId: '444455556666' })).rejects.toMatchObject({
      code: 'InvalidInstanceID.NotFound',
      message: `The instance ID '${id}' does not exist`,
    });
  });

  it('are settings, some of which change only while it is stopped', async () => {
    const id = await launch({
      UserData: 'aGVsbG8=',
      CreditSpecification: { CpuCredits: 'standard' },
      MetadataOptions: { HttpTokens: 'required' },
      Placement: { AvailabilityZone: '', GroupName: '' },
      InstanceInitiatedShutdownBehavior: 'terminate',
    });
    await reaches(id, 'running');
    const modify = (input: object) => call('ModifyInstanceAttribute', { InstanceId: id, ...input });
    const described = (Attribute: string) => call('DescribeInstanceAttribute', { InstanceId: id, Attribute });
    expect(await described('userData')).toEqual({ InstanceId: id, UserData: { Value: 'aGVsbG8=' } });
    expect(await described('instanceInitiatedShutdownBehavior')).toMatchObject({
      InstanceInitiatedShutdownBehavior: { Value: 'terminate' },
    });
    const notStopped = {
      code: 'IncorrectInstanceState',
      message: `The instance '${id}' is not in the 'stopped' state.`,
    };
    await expect(modify({ UserData: { Value: 'eA==' } })).rejects.toMatchObject(notStopped);
    await expect(modify({ InstanceType: { Value: 'm5.large' } })).rejects.toMatchObject(notStopped);
    await expect(modify({ InstanceType: { Value: 'm5.large' }, UserData: { Value: '' } })).rejects.toMatchObject({
      code: 'InvalidParameterCombination',
    });
    const options = { InstanceId: id, HttpPutResponseHopLimit: 3 };
    expect(await call('ModifyInstanceMetadataOptions', options)).toMatchObject({
      InstanceMetadataOptions: { State: 'applied', HttpTokens: 'required', HttpPutResponseHopLimit: 3 },
    });
    await modify({ DisableApiStop: { Value: true } });
    await expect(call('StopInstances', { InstanceIds: [id] })).rejects.toMatchObject({ code: 'OperationNotPermitted' });
    await modify({ Attribute: 'disableApiStop', Value: 'false' });
    const credits = (CpuCredits: string) =>
      call('ModifyInstanceCreditSpecification', { InstanceCreditSpecifications: [{ InstanceId: id, CpuCredits }] });
    expect(await credits('unlimited')).toMatchObject({ SuccessfulInstanceCreditSpecifications: [{ InstanceId: id }] });
    await call('StopInstances', { InstanceIds: [id] });
    await reaches(id, 'stopped');
    await modify({ UserData: { Value: '' } });
    expect(await described('userData')).toEqual({ InstanceId: id, UserData: {} });
    await expect(modify({ InstanceType: { Value: 'x9.large' } })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
    });
    await modify({ InstanceType: { Value: 'm5.large' } });
    expect(await described('instanceType')).toMatchObject({ InstanceType: { Value: 'm5.large' } });
    expect(await credits('standard')).toMatchObject({
      UnsuccessfulInstanceCreditSpecifications: [{ Error: { Code: 'InstanceCreditSpecification.NotSupported' } }],
    });
  });

  it.each([
    [{ UserData: '%%%' }, 'InvalidParameterValue'],
    [{ UserData: Buffer.alloc(16_385).toString('base64') }, 'InvalidParameterValue'],
    [{ CreditSpecification: { CpuCredits: 'free' } }, 'InvalidParameterValue'],
    [{ InstanceType: 'm5.large', CreditSpecification: { CpuCredits: 'standard' } }, 'InvalidParameterCombination'],
    [{ InstanceInitiatedShutdownBehavior: 'hibernate' }, 'InvalidParameterValue'],
    [{ InstanceType: 't2.micro', EbsOptimized: true }, 'Unsupported'],
    [{ MetadataOptions: { HttpPutResponseHopLimit: 65 } }, 'InvalidParameterValue'],
    [{ MetadataOptions: { HttpTokens: 'maybe' } }, 'InvalidParameterValue'],
  ])('are none that no instance can have: %j', async (input, code) => {
    await expect(launch(input as Partial<ec2.RunInstancesRequest>)).rejects.toMatchObject({ code });
  });

  it('is the status of those that run, or of all', async () => {
    const id = await launch();
    await reaches(id, 'running');
    const statuses = async (input: object) =>
      (await call<ec2.DescribeInstanceStatusResult>('DescribeInstanceStatus', { InstanceIds: [id], ...input }))
        .InstanceStatuses;
    expect(await statuses({})).toMatchObject([{ InstanceId: id, InstanceStatus: { Status: 'ok' } }]);
    await call('StopInstances', { InstanceIds: [id] });
    await reaches(id, 'stopped');
    expect(await statuses({})).toEqual([]);
    expect(await statuses({ IncludeAllInstances: true })).toMatchObject([{ InstanceStatus: { Status: 'not-applicable' } }]); // prettier-ignore
  });

  it('is what their types can do with volumes', async () => {
    const types = async (input: ec2.DescribeInstanceTypesRequest) =>
      await call<ec2.DescribeInstanceTypesResult>('DescribeInstanceTypes', input);
    expect((await types({ InstanceTypes: ['t3.micro', 't1.micro'] })).InstanceTypes).toMatchObject([
      { InstanceType: 't1.micro', EbsInfo: { EncryptionSupport: 'unsupported', NvmeSupport: 'unsupported', EbsOptimizedSupport: 'unsupported' } },
      { InstanceType: 't3.micro', EbsInfo: { EncryptionSupport: 'supported', NvmeSupport: 'required', MaximumEbsAttachments: 27, EbsOptimizedInfo: { BaselineBandwidthInMbps: 87, MaximumIops: 11_800 } } },
    ]); // prettier-ignore
    const fast = { Filters: [{ Name: 'ebs-info.ebs-optimized-info.maximum-iops', Values: ['11800'] }] };
    expect((await types(fast)).InstanceTypes?.map(({ InstanceType }) => InstanceType)).toContain('t3.micro');
    const previous = { Filters: [{ Name: 'current-generation', Values: ['false'] }, { Name: 'instance-type', Values: ['t3.*', 'm1.*'] }] }; // prettier-ignore
    expect((await types(previous)).InstanceTypes?.some(({ InstanceType }) => InstanceType === 't3.micro')).toBe(false);
    expect((await types(previous)).InstanceTypes?.some(({ InstanceType }) => InstanceType === 'm1.small')).toBe(true);
    const metal = {
      Filters: [
        { Name: 'bare-metal', Values: ['true'] },
        { Name: 'instance-type', Values: ['m5.*'] },
      ],
    };
    const [bare, ...others] = (await types(metal)).InstanceTypes ?? [];
    expect(others).toEqual([]);
    expect(bare).toMatchObject({ InstanceType: 'm5.metal', BareMetal: true, EbsInfo: { NvmeSupport: 'required', MaximumEbsAttachments: 31 } }); // prettier-ignore
    expect(bare?.Hypervisor).toBeUndefined();
    await expect(types({ InstanceTypes: ['x9.nano'] })).rejects.toMatchObject({
      code: 'InvalidInstanceType',
      message: 'The following supplied instance types do not exist: [x9.nano]',
    });
    const unsupported = { Filters: [{ Name: 'ebs-info.encryption-support', Values: ['unsupported'] }] };
    const first = await types({ ...unsupported, MaxResults: 5 });
    expect(first.InstanceTypes).toHaveLength(5);
    const second = await types({ ...unsupported, MaxResults: 50, NextToken: first.NextToken });
    expect(second.NextToken).toBeUndefined();
    expect(new Set([...(first.InstanceTypes ?? []), ...(second.InstanceTypes ?? [])].map(({ InstanceType }) => InstanceType)).size).toBe(15); // prettier-ignore
  });
});
