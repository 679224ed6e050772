import type { ec2 } from '@holdfast/aws-protocol';
import { accountId, AwsError, type HostAttachment, region } from '@holdfast/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ACCOUNT, CONTEXT, EC2, ROOT, VolumesStack } from './testing/volumes-stack.ts';

const volumes = new VolumesStack();
beforeAll(() => volumes.start(inject('postgresAdminUrl')));
beforeEach(volumes.forget);
afterAll(() => volumes.close());
const { kms, dataPlane, call, describeAll, describeOne, settled, ready, stateOf, launch, attach } = volumes;

describe('AttachVolume and DetachVolume', () => {
  it('grant the key to the instance as long as the volume is attached', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    const instance = launch();
    kms.take();
    expect(await attach(id, instance)).toMatchObject({
      VolumeId: id, InstanceId: instance, Device: '/dev/sdf', State: 'attaching', DeleteOnTermination: false,
    }); // prettier-ignore
    expect(await describeOne(id)).toMatchObject({
      State: 'in-use',
      Attachments: [{ State: 'attached', InstanceId: instance, Device: '/dev/sdf', DeleteOnTermination: false }],
    });
    const host = `arn:aws:sts::${ACCOUNT}:assumed-role/aws:ec2-infrastructure/${instance}`;
    const shared = { KeyId: key, RetiringPrincipal: EC2, Operations: ['Decrypt'] };
    const service = {
      ...shared,
      GranteePrincipal: EC2,
      Constraints: { EncryptionContextSubset: { [CONTEXT]: id } },
      Name: `ebs-volume-${id}`,
    };
    expect(kms.grantsOf(key).map(({ input }) => input)).toEqual([
      service,
      {
        KeyId: key,
        GranteePrincipal: host,
        RetiringPrincipal: EC2,
        Operations: ['Decrypt'],
        Constraints: { EncryptionContextSubset: { [CONTEXT]: id } },
        Name: `ebs-attach-${id}-${instance}`,
      },
    ]);
    const created = { action: 'CreateGrant', principal: ROOT, viaService: EC2 };
    expect(kms.calls).toMatchObject([created, created]);
    expect(dataPlane.exports.get(id)).toMatchObject({
      instanceId: instance,
      device: '/dev/sdf',
      dataKey: { principal: { arn: host } },
    });
    const { attachments } = await call<{ attachments: HostAttachment[] }>('ListHostAttachments', { hostId: 'host-1' });
    expect(attachments).toMatchObject([{ volumeId: id, dataKey: { principal: { arn: host }, keyArn: key } }]);

    expect(await call('DetachVolume', { VolumeId: id, InstanceId: instance })).toMatchObject({ State: 'detaching' });
    await settled(id);
    expect(dataPlane.exports.has(id)).toBe(false);
    expect(kms.grantsOf(key).map(({ input }) => input)).toEqual([service]);
    expect(await call('ListAttachments', {})).toEqual({ attachments: [] });

    // EBS's own grant is there for the next attachment, and ends with the volume.
    kms.take();
    await attach(id, instance);
    expect(kms.take()).toEqual(['CreateGrant']);
    await call('DetachVolume', { VolumeId: id });
    await settled(id);
    await call('DeleteVolume', { VolumeId: id });
    await expect.poll(() => kms.grantsOf(key)).toEqual([]);
  });

  it('refuse an unusable key at once and leave nothing behind', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    const revoked = {
      code: 'CustomerKeyHasBeenRevoked',
      message: `Volume ${id} cannot be attached. The encrypted volume was unable to access the KMS master key.`,
    };
    kms.disable(key);
    await expect(attach(id, launch())).rejects.toMatchObject(revoked);
    expect(await describeOne(id)).toMatchObject({ State: 'available', Attachments: [] });
    kms.enable(key);
    dataPlane.refuse = { OpenExport: new AwsError({ code: 'KmsKeyUnusable', message: 'is pending deletion.' }) };
    await expect(attach(id, launch())).rejects.toMatchObject(revoked);
    expect(await describeOne(id)).toMatchObject({ State: 'available', Attachments: [] });
    expect(kms.grantsOf(key)).toEqual([]);
    dataPlane.refuse = {};
    await attach(id, launch());
  });

  it('let exactly one of many attach a volume', async () => {
    const id = await ready();
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => attach(id, launch())));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as AwsError] : []));
    for (const refusal of refusals)
      expect(refusal).toMatchObject({ code: 'VolumeInUse', message: `${id} is already attached to an instance` });
  });

  it('let exactly one of many volumes have a device name', async () => {
    const instance = launch();
    const volumes = await Promise.all(Array.from({ length: 4 }, () => ready()));
    const results = await Promise.allSettled(volumes.map((id) => attach(id, instance)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({
          code: 'InvalidParameterValue',
          message: "Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use",
        });
    expect(dataPlane.exports.size).toBeGreaterThan(0);
  });

  it.each(['CreateGrant', 'OpenExport'])('come to the same when the answer to %s is lost', async (lost) => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    const times = volumes.loseAnswerTo(lost);
    await attach(id, launch());
    expect(times()).toBeGreaterThan(1);
    expect(kms.grantsOf(key)).toHaveLength(2);
    await call('DetachVolume', { VolumeId: id });
    await settled(id);
    expect(kms.grantsOf(key)).toHaveLength(1);
  });

  it('take back a grant whose id was never noted', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    kms.afterwards = (action) => {
      if (action !== 'CreateGrant') return;
      kms.disable(key);
      throw new Error('lost');
    };
    await expect(attach(id, launch())).rejects.toMatchObject({ code: 'CustomerKeyHasBeenRevoked' });
    expect(kms.grantsOf(key)).toEqual([]);
  });

  it.each(['CloseExport', 'RetireGrant'])('detach once when the answer to %s is lost', async (lost) => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    await attach(id, launch());
    volumes.loseAnswerTo(lost);
    await call('DetachVolume', { VolumeId: id });
    await settled(id);
    expect(kms.grantsOf(key).map(({ input }) => input['Name'])).toEqual([`ebs-volume-${id}`]);
    expect(dataPlane.exports.has(id)).toBe(false);
  });

  it('keep the grant that EBS had before an attachment failed', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    await attach(id, launch());
    await call('DetachVolume', { VolumeId: id });
    await settled(id);
    kms.disable(key);
    await expect(attach(id, launch())).rejects.toMatchObject({ code: 'CustomerKeyHasBeenRevoked' });
    expect(kms.grantsOf(key).map(({ input }) => input['Name'])).toEqual([`ebs-volume-${id}`]);
  });

  it('refuse one volume more than the instance type takes', async () => {
    const instance = launch({ maximumEbsAttachments: 2 });
    for (const device of ['/dev/sdf', '/dev/sdg']) await attach(await ready(), instance, device);
    await expect(attach(await ready(), instance, '/dev/sdh')).rejects.toMatchObject({
      code: 'AttachmentLimitExceeded',
      message:
        'You may attach up to 2 devices for this instance type. Please use a larger instance size to attach more volumes.',
    });
  });

  it('answer while the volume is still being attached when that takes long', async () => {
    const [id, instance] = [await ready(), launch()];
    dataPlane.refuse = { OpenExport: new AwsError({ code: 'ServiceUnavailable', status: 503 }) };
    const input = { VolumeId: id, InstanceId: instance, Device: '/dev/sdf' };
    const answer = await call('AttachVolume', input, { deadlineMs: Date.now() + 1500 });
    expect(answer).toMatchObject({ VolumeId: id, State: 'attaching' });
    expect(await describeOne(id)).toMatchObject({ State: 'in-use', Attachments: [{ State: 'attaching' }] });
    dataPlane.refuse = {};
    await expect
      .poll(() => describeOne(id))
      .toMatchObject({ Attachments: [{ State: 'attached', InstanceId: instance }] });
  });

  it('are checked', async () => {
    const id = await ready();
    const encrypted = await ready({ Encrypted: true });
    const instance = launch();
    const free = { VolumeId: id, InstanceId: instance, Device: '/dev/sdg' };
    const none = 'vol-0123456789abcdef0';
    const cases: [string, object, string][] = [
      ['AttachVolume', { InstanceId: instance, Device: '/dev/sdg' }, 'MissingParameter'],
      ['AttachVolume', { ...free, VolumeId: 'vol-x' }, 'InvalidVolumeID.Malformed'],
      ['AttachVolume', { ...free, InstanceId: 'x' }, 'InvalidInstanceID.Malformed'],
      ['AttachVolume', { ...free, VolumeId: none }, 'InvalidVolume.NotFound'],
      ['AttachVolume', { ...free, InstanceId: 'i-0123456789abcdef0' }, 'InvalidInstanceID.NotFound'],
      ['AttachVolume', { ...free, InstanceId: launch({ state: 'terminated' }) }, 'IncorrectState'],
      ['AttachVolume', { ...free, InstanceId: launch({ availabilityZone: 'eu-central-1b' }) }, 'InvalidVolume.ZoneMismatch'],
      ['AttachVolume', { ...free, VolumeId: encrypted, InstanceId: launch({ ebsEncryptionSupported: false }) }, 'EncryptedVolumesNotSupported'],
      ['AttachVolume', { ...free, Device: '/dev/sda1' }, 'InvalidParameterValue'],
      ['AttachVolume', { ...free, Device: '/dev/../etc' }, 'InvalidParameterValue'],
      ['AttachVolume', { ...free, EbsCardIndex: 1 }, 'UnsupportedOperation'],
      ['AttachVolume', { ...free, DryRun: true }, 'DryRunOperation'],
      ['DetachVolume', { VolumeId: id }, 'IncorrectState'],
      ['DetachVolume', { VolumeId: none }, 'InvalidVolume.NotFound'],
      ['DeleteVolume', {}, 'MissingParameter'],
      ['DeleteVolume', { VolumeId: 'x' }, 'InvalidParameterValue'],
      ['DeleteVolume', { VolumeId: none }, 'InvalidVolume.NotFound'],
      ['DeleteVolume', { VolumeId: id, DryRun: true }, 'DryRunOperation'],
    ]; // prettier-ignore
    for (const [action, input, code] of cases)
      await expect(call(action, input), `${action} ${code}`).rejects.toMatchObject({ code });
    await attach(id, instance);
    await expect(call('DeleteVolume', { VolumeId: id })).rejects.toMatchObject({ code: 'VolumeInUse' });
    await expect(call('DetachVolume', { VolumeId: id, InstanceId: launch() })).rejects.toMatchObject({ code: 'InvalidAttachment.NotFound' }); // prettier-ignore
    await expect(attach(encrypted, instance)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
  });
});

describe('Multi-Attach', () => {
  const shared = (input: ec2.CreateVolumeRequest = {}) =>
    ready({ Size: 4, VolumeType: 'io1', Iops: 100, MultiAttachEnabled: true, ...input });

  it('gives each instance its own device and grant, and takes back one without the others', async () => {
    const key = kms.key();
    const id = await shared({ Encrypted: true, KmsKeyId: key });
    expect(await describeOne(id)).toMatchObject({ MultiAttachEnabled: true });
    const [a, b] = [launch(), launch()];
    await Promise.all([attach(id, a), attach(id, b, '/dev/sdg')]);
    const names = () =>
      kms
        .grantsOf(key)
        .map(({ input }) => input['Name'])
        .sort();
    const own = [`ebs-attach-${id}-${a}`, `ebs-attach-${id}-${b}`].sort();
    expect(names()).toEqual([...own, `ebs-volume-${id}`]);
    expect([...dataPlane.open].filter((device) => device.startsWith(id))).toHaveLength(2);
    const attachments = (await describeOne(id))?.Attachments ?? [];
    expect(attachments.map(({ InstanceId }) => InstanceId).sort()).toEqual([a, b].sort());
    const { attachments: served } = await call<{ attachments: HostAttachment[] }>('ListHostAttachments', { hostId: 'host-1' }); // prettier-ignore
    expect(served.filter(({ volumeId }) => volumeId === id)).toMatchObject([{ multiAttach: true }, { multiAttach: true }]); // prettier-ignore
    const filter = [{ Name: 'multi-attach-enabled', Values: ['true'] }];
    expect((await describeAll({ VolumeIds: [id], Filters: filter })).Volumes).toHaveLength(1);

    await expect(attach(id, a, '/dev/sdh')).rejects.toMatchObject({ code: 'VolumeInUse' });
    await expect(call('DetachVolume', { VolumeId: id })).rejects.toMatchObject({ code: 'MissingParameter' });
    expect(await call('DetachVolume', { VolumeId: id, InstanceId: a, Force: true })).toMatchObject({
      InstanceId: a,
      Device: '/dev/sdf',
      State: 'detaching',
    });
    await expect.poll(async () => (await describeOne(id))?.Attachments?.length).toBe(1);
    expect(await describeOne(id)).toMatchObject({ State: 'in-use', Attachments: [{ InstanceId: b }] });
    expect(names()).toEqual([`ebs-attach-${id}-${b}`, `ebs-volume-${id}`]);
    await expect(call('DeleteVolume', { VolumeId: id })).rejects.toMatchObject({ code: 'VolumeInUse' });
    await call('DetachVolume', { VolumeId: id, InstanceId: b });
    await settled(id);
  });

  it('leaves the others alone when one may not use the key', async () => {
    const key = kms.key();
    const id = await shared({ Encrypted: true, KmsKeyId: key });
    const holder = launch();
    await attach(id, holder);
    kms.disable(key);
    await expect(attach(id, launch())).rejects.toMatchObject({ code: 'CustomerKeyHasBeenRevoked' });
    expect(await describeOne(id)).toMatchObject({ State: 'in-use', Attachments: [{ InstanceId: holder }] });
    expect(kms.grantsOf(key)).toHaveLength(2);
  });

  it('is for Nitro instances in the same zone', async () => {
    const id = await shared();
    const xen = launch({ instanceType: 't2.micro', hypervisor: 'xen' });
    await expect(attach(id, xen)).rejects.toMatchObject({ code: 'UnsupportedOperation' });
    const elsewhere = launch({ availabilityZone: 'eu-central-1b' });
    await expect(attach(id, elsewhere)).rejects.toMatchObject({ code: 'InvalidVolume.ZoneMismatch' });
  });
});

describe('DeleteVolume', () => {
  it('removes the files, then the volume', async () => {
    const id = await ready();
    dataPlane.refuse = { RemoveVolume: new AwsError({ code: 'VolumeBusy', message: 'open' }) };
    await call('DeleteVolume', { VolumeId: id });
    const listed = await describeAll({ Filters: [{ Name: 'volume-id', Values: [id] }] });
    expect(listed.Volumes).toMatchObject([{ State: 'deleting' }]);
    expect(await stateOf(id)).toBe('InvalidVolume.NotFound');
    await expect(call('DeleteVolume', { VolumeId: id })).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    dataPlane.refuse = {};
    await expect
      .poll(async () => (await describeAll({ Filters: [{ Name: 'volume-id', Values: [id] }] })).Volumes)
      .toEqual([]);
    expect(dataPlane.allocated.has(id)).toBe(false);
  });
});

describe('accounts and Regions', () => {
  it('see nothing of each other', async () => {
    const id = await ready();
    for (const fields of [{ accountId: accountId('444455556666') }, { region: region('us-east-1') }]) {
      expect(await call('DescribeVolumes', {}, fields)).toMatchObject({ Volumes: [] });
      expect(await call('GetVolume', { volumeId: id }, fields)).toBeNull();
      for (const [action, input] of [
        ['DescribeVolumes', { VolumeIds: [id] }],
        ['DeleteVolume', { VolumeId: id }],
        ['DetachVolume', { VolumeId: id }],
        ['AttachVolume', { VolumeId: id, InstanceId: launch(), Device: '/dev/sdf' }],
        ['CreateTags', { Resources: [id], Tags: [{ Key: 'a' }] }],
      ] as const)
        await expect(call(action, input, fields)).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    }
  });
});
