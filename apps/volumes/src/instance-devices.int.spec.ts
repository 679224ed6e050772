import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError } from '@holdfast/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { VolumesStack } from './testing/volumes-stack.ts';

const volumes = new VolumesStack();
beforeAll(() => volumes.start(inject('postgresAdminUrl')));
beforeEach(volumes.forget);
afterAll(() => volumes.close());
const { kms, dataPlane, call, create, describeOne, launch, attach, ready, stateOf } = volumes;

const attachAtLaunch = (volumeId: string, instanceId: string, fields = {}) =>
  call('AttachAtLaunch', { volumeId, instanceId, hostId: 'host-1', device: '/dev/xvda', deleteOnTermination: true, isRoot: true, ...fields }); // prettier-ignore

describe('a launch', () => {
  it('attaches to the root device of an instance that is pending, as often as it is asked', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    const instance = launch({ state: 'pending' });
    for (let i = 0; i < 2; i++) expect(await attachAtLaunch(id, instance)).toEqual({ failure: null });
    expect(kms.grantsOf(key)).toHaveLength(2);
    expect(await describeOne(id)).toMatchObject({
      Attachments: [{ Device: '/dev/xvda', State: 'attached', DeleteOnTermination: true }],
    });
    await expect(call('DetachVolume', { VolumeId: id })).rejects.toMatchObject({
      code: 'OperationNotPermitted',
      message: `Unable to detach root volume '${id}' from instance '${instance}'`,
    });
    await call('SetDeleteOnTermination', { instanceId: instance, devices: [{ device: '/dev/xvda', deleteOnTermination: false }] }); // prettier-ignore
    expect(await describeOne(id)).toMatchObject({ Attachments: [{ DeleteOnTermination: false }] });
    const absent = { instanceId: instance, devices: [{ device: '/dev/sdz', deleteOnTermination: false }] };
    await expect(call('SetDeleteOnTermination', absent)).rejects.toMatchObject({
      code: 'InvalidInstanceAttributeValue',
    });
    await expect(call('ModifyVolume', { VolumeId: id, VolumeType: 'st1', Size: 125 })).rejects.toMatchObject({
      code: 'BootForVolumeTypeUnsupported',
    });
  });

  it('is told why a device could not be opened, and why a volume vanished', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    kms.disable(key);
    expect(await attachAtLaunch(id, launch({ state: 'pending' }))).toEqual({ failure: `${key} is disabled.` });
    expect(await stateOf(id)).toBe('available');
    const { VolumeId } = await create({ Encrypted: true, KmsKeyId: key });
    const creation = () => call('GetCreation', { volumeId: VolumeId });
    await expect.poll(async () => ((await creation()) as { state: string }).state).toBe('gone');
    expect(await creation()).toEqual({ state: 'gone', cause: `${key} is disabled.` });
    expect(await call('GetCreation', { volumeId: id })).toEqual({ state: 'ready', cause: null });
  });

  it('is planned with the refusals of CreateVolume', async () => {
    const plan = (input: object) => call('PlanVolume', { input: { AvailabilityZone: 'eu-central-1a', ...input } });
    expect(await plan({ Size: 4, Encrypted: true })).toEqual({ sizeGiB: 4, snapshotSizeGiB: null, volumeType: 'gp2', encrypted: true }); // prettier-ignore
    const refused = { code: 'InvalidParameterDependency' };
    await expect(plan({ Size: 4, KmsKeyId: 'k' })).rejects.toMatchObject(refused);
  });
});

describe('an instance that stops and starts', () => {
  /** Of its host; EBS's own stays as long as the volume. */
  const hostGrants = (key: string) =>
    kms.grantsOf(key).filter(({ input }) => String(input['Name']).startsWith('ebs-attach-'));

  const suspend = (instanceId: string) => call('SuspendAttachments', { instanceId });
  const resume = (instanceId: string) => call<{ failure: string | null }>('ResumeAttachments', { instanceId });

  it('gives the grant back and gets a fresh one; its volumes stay attached', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    const instance = launch();
    await attach(id, instance);
    const [before] = hostGrants(key);
    for (let i = 0; i < 2; i++) await suspend(instance);
    expect(hostGrants(key)).toEqual([]);
    expect(dataPlane.exports.has(id)).toBe(false);
    expect(await describeOne(id)).toMatchObject({ State: 'in-use', Attachments: [{ State: 'attached' }] });
    expect(JSON.stringify(await call('ListHostAttachments', { hostId: 'host-1' }))).not.toContain(id);
    for (let i = 0; i < 2; i++) expect(await resume(instance)).toEqual({ failure: null });
    expect(kms.grantsOf(key)).toHaveLength(2);
    expect(hostGrants(key)[0]?.grantId).not.toBe(before?.grantId);
    expect(dataPlane.exports.has(id)).toBe(true);
  });

  it('says why it cannot start, and leaves no grant', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    const instance = launch();
    await attach(id, instance);
    await suspend(instance);
    dataPlane.refuse['OpenExport'] = new AwsError({ code: 'KmsKeyUnusable', message: 'is disabled.' });
    expect(await resume(instance)).toEqual({ failure: 'is disabled.' });
    expect(hostGrants(key)).toHaveLength(1);
    await suspend(instance);
    expect(hostGrants(key)).toEqual([]);
  });

  it('takes a volume while it is stopped, when only EBS gets a grant', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    kms.take();
    const instance = launch({ state: 'stopped' });
    expect(await attach(id, instance)).toMatchObject({ State: 'attaching' });
    expect(await describeOne(id)).toMatchObject({ Attachments: [{ State: 'attached' }] });
    expect(kms.take()).toEqual(['CreateGrant']);
    expect(hostGrants(key)).toEqual([]);
    await call('DetachVolume', { VolumeId: id });
    await volumes.settled(id);
  });
});

describe('the Recycle Bin', () => {
  const bin = async (input: object = {}) =>
    (await call<ec2.ListVolumesInRecycleBinResult>('ListVolumesInRecycleBin', input)).Volumes ?? [];
  const inBin = (id: string) => bin().then((all) => all.filter(({ VolumeId }) => VolumeId === id));
  const restore = (VolumeId: string, input: object = {}) => call('RestoreVolumeFromRecycleBin', { VolumeId, ...input });
  const tagsOf = (id: string) =>
    call<ec2.DescribeTagsResult>('DescribeTags', { Filters: [{ Name: 'resource-id', Values: [id] }] });

  it('keeps a volume with its files and its grant, gives it back, and lets it go when its time is over', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key, TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'keep', Value: 'yes' }] }] }); // prettier-ignore
    await attach(id, launch());
    await volumes.settled(id, 'in-use');
    await expect.poll(async () => (await describeOne(id))?.Attachments?.[0]?.State).toBe('attached');
    await call('DetachVolume', { VolumeId: id });
    await volumes.settled(id);
    expect(kms.grantsOf(key)).toHaveLength(1);
    volumes.retention = ({ keep }) => (keep === 'yes' ? 3 : null);
    await call('DeleteVolume', { VolumeId: id });
    expect(await stateOf(id)).toBe('InvalidVolume.NotFound');
    expect(await call('GetVolume', { volumeId: id })).toBeNull();
    const listed = await volumes.describeAll({ Filters: [{ Name: 'volume-id', Values: [id] }] });
    expect(listed.Volumes).toEqual([]);
    for (const [action, input] of [['ModifyVolume', { Size: 2 }], ['DeleteVolume', {}], ['AttachVolume', { InstanceId: launch(), Device: '/dev/sdf' }]] as const)
      await expect(call(action, { VolumeId: id, ...input })).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' }); // prettier-ignore
    const [row] = await inBin(id);
    expect(row).toMatchObject({ VolumeType: 'gp2', Size: 1, AvailabilityZone: 'eu-central-1a' });
    expect(Date.parse(row?.RecycleBinExitTime ?? '') - Date.parse(row?.RecycleBinEnterTime ?? '')).toBe(3 * 86_400_000);
    expect(await bin({ VolumeIds: [id] })).toHaveLength(1);
    await call('CreateTags', { Resources: [id], Tags: [{ Key: 'more', Value: '1' }] });
    expect((await tagsOf(id)).Tags?.map(({ Key }) => Key)).toEqual(['aws:recycle-bin:resource-in-bin', 'keep', 'more']);
    expect([dataPlane.allocated.has(id), kms.grantsOf(key).length]).toEqual([true, 1]);
    await expect(restore(id, { DryRun: true })).rejects.toMatchObject({ code: 'DryRunOperation' });
    expect(await restore(id)).toEqual({ Return: true });
    expect(await stateOf(id)).toBe('available');
    expect((await tagsOf(id)).Tags?.map(({ Key }) => Key)).toEqual(['keep', 'more']);
    await expect(restore(id)).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    await call('DeleteVolume', { VolumeId: id });
    await volumes.restart(() => undefined);
    expect(await inBin(id)).toHaveLength(1);
    await volumes.turnClock(73);
    await expect.poll(() => inBin(id), { timeout: 60_000 }).toEqual([]);
    await expect.poll(() => dataPlane.allocated.has(id), { timeout: 60_000 }).toBe(false);
    await expect.poll(() => kms.grantsOf(key), { timeout: 60_000 }).toEqual([]);
    await expect(restore(id)).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    await expect(bin({ VolumeIds: [id] })).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    await volumes.turnClock(0);
  });

  it('keeps what ends with its instance', async () => {
    const id = await ready();
    const instance = launch({ state: 'pending' });
    await attachAtLaunch(id, instance);
    volumes.retention = () => 3;
    await volumes.terminated(instance);
    await expect.poll(() => stateOf(id)).toBe('InvalidVolume.NotFound');
    expect(await inBin(id)).toHaveLength(1);
    await restore(id);
    expect(await describeOne(id)).toMatchObject({ State: 'available', Attachments: [] });
    expect(dataPlane.allocated.has(id)).toBe(true);
  });

  it('keeps nothing of a launch that failed, and refuses what is no volume', async () => {
    const id = await ready();
    volumes.retention = () => 3;
    await call('WaiveRetention', { volumeId: id });
    await call('DeleteVolume', { VolumeId: id });
    await expect.poll(() => dataPlane.allocated.has(id), { timeout: 60_000 }).toBe(false);
    expect(await inBin(id)).toEqual([]);
    await expect(restore('x')).rejects.toMatchObject({ code: 'InvalidVolumeID.Malformed' });
    await expect(restore('')).rejects.toMatchObject({ code: 'MissingParameter' });
    await expect(bin({ VolumeIds: ['x'] })).rejects.toMatchObject({ code: 'InvalidVolumeID.Malformed' });
    await expect(bin({ MaxResults: 4 })).rejects.toMatchObject({ code: 'InvalidParameterValue' });
  });
});
