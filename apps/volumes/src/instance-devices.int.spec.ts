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
