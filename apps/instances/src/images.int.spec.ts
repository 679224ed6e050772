import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, newSnapshotId } from '@holdfast/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { BOB, ImagesStack, name, refused } from './testing/images-stack.ts';

const stack = new ImagesStack();
const { call, copy, create, defaults, image, images, instance, kms, reaches, register, run, share, snapshots } = stack;
beforeAll(() => stack.start(inject('postgresAdminUrl')));
beforeEach(stack.forget);
afterAll(() => stack.close());

describe('Amazon’s image', () => {
  it('is one in each Region, public, and always the same', async () => {
    for (const region of ['eu-central-1', 'us-east-1']) {
      const found = await images({ Owners: ['amazon'] }, { region });
      expect(found).toMatchObject([{ Public: true, ImageOwnerAlias: 'amazon', RootDeviceType: 'ebs', State: 'available' }]); // prettier-ignore
    }
    const [here] = await images({ Owners: ['amazon'] });
    const [there] = await images({ Owners: ['amazon'] }, { region: 'us-east-1' });
    expect(here?.ImageId).not.toBe(there?.ImageId);
    expect(await refused(call('DeregisterImage', { ImageId: here?.ImageId }))).toBe('AuthFailure');
    expect(await refused(image(there?.ImageId ?? ''))).toBe('InvalidAMIID.NotFound');
  });
});

describe('RegisterImage', () => {
  it('makes an image of snapshots, which is available at once', async () => {
    const snapshotId = snapshots.encrypted(newSnapshotId(), kms.key(), { volumeSizeGiB: 3 });
    const empty = { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, VolumeType: 'gp3' as const, Encrypted: true } };
    const id = await register({
      Description: 'of mine',
      Architecture: 'arm64',
      VirtualizationType: 'hvm',
      BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: snapshotId } }, empty],
      TagSpecifications: [{ ResourceType: 'image', Tags: [{ Key: 'a', Value: '1' }] }],
    });
    expect(await image(id)).toMatchObject({
      ...{ State: 'available', Public: false, OwnerId: '111122223333', Description: 'of mine', Architecture: 'arm64' },
      Tags: [{ Key: 'a', Value: '1' }],
      BlockDeviceMappings: [
        { DeviceName: '/dev/xvda', Ebs: { SnapshotId: snapshotId, VolumeSize: 3, VolumeType: 'standard', Encrypted: true } },
        { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, VolumeType: 'gp3', Encrypted: true } },
      ],
    }); // prettier-ignore
    expect(await call('ListImagesOfSnapshot', { snapshotId })).toEqual({ imageIds: [id] });
  });

  it('gives a name once, as long as its image is there', async () => {
    const Name = name();
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => register({ Name })));
    const made = all.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(made).toHaveLength(1);
    const refusals = all.flatMap((result) => (result.status === 'rejected' ? [result.reason as AwsError] : []));
    for (const { code, message } of refusals) {
      expect(code).toBe('InvalidAMIName.Duplicate');
      expect(message).toBe(`AMI name ${Name} is already in use by AMI ${made[0] ?? ''}`);
    }
    await call('DeregisterImage', { ImageId: made[0] });
    expect(await register({ Name })).not.toBe(made[0]);
  });

  it.each<[Partial<ec2.RegisterImageRequest>, string]>([
    [{ Name: 'x' }, 'InvalidAMIName.Malformed'],
    [{ Name: 'what?!' }, 'InvalidAMIName.Malformed'],
    [{ RootDeviceName: '' }, 'MissingParameter'],
    [{ RootDeviceName: '/dev/sda1' }, 'InvalidBlockDeviceMapping'],
    [{ ImageLocation: 'bucket/manifest' }, 'UnsupportedOperation'],
    [{ Architecture: 'sparc' }, 'InvalidParameterValue'],
    [{ BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: 'snap-0123456789abcdef0' } }] }, 'InvalidSnapshot.NotFound'],
    [{ BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: 'snap-1' } }] }, 'InvalidParameterValue'],
    [{ TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'a' }] }] }, 'InvalidParameterValue'],
    [{ DryRun: true }, 'DryRunOperation'],
  ])('is refused: %j', async (input, code) => expect(await refused(register(input))).toBe(code)); // prettier-ignore

  it('is refused for what another account keeps to itself, and for what is not complete', async () => {
    const bobs = snapshots.add(newSnapshotId(), { ownerId: BOB.accountId as never });
    expect(await refused(register({}, bobs))).toBe('InvalidSnapshot.NotFound');
    const pending = snapshots.add(newSnapshotId(), { state: 'pending' });
    expect(await refused(register({}, pending))).toBe('IncorrectState');
  });
});

describe('CreateImage', () => {
  it('is pending until its snapshots are complete', async () => {
    snapshots.begins = 'pending';
    const id = await create(await instance());
    const pending = await image(id);
    expect(pending?.State).toBe('pending');
    expect(await refused(run(id))).toBe('InvalidAMIID.Unavailable');
    const SnapshotId = pending?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId ?? '';
    // When it answered, its snapshots were taken.
    expect(snapshots.snapshots.get(SnapshotId)).toMatchObject({ description: expect.stringContaining(id) as string });
    snapshots.add(SnapshotId);
    expect(await reaches(id, 'available')).toMatchObject({ RootDeviceName: '/dev/xvda', Architecture: 'x86_64' });
  });

  it('fails when a snapshot does, and nothing of it stays but its reason', async () => {
    snapshots.begins = 'pending';
    const id = await create(await instance());
    const SnapshotId = (await image(id))?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId ?? '';
    snapshots.add(SnapshotId, { state: 'error' });
    expect(await reaches(id, 'failed')).toMatchObject({ StateReason: { Code: 'Client.InternalError' } });
    await expect.poll(() => snapshots.snapshots.has(SnapshotId)).toBe(false);
    await call('DeregisterImage', { ImageId: id });
  });

  it('fails when a snapshot is refused, after it was answered', async () => {
    const code = 'SnapshotCreationPerVolumeRateExceeded';
    const instanceId = await instance();
    snapshots.refusal = new AwsError({ code, message: 'The maximum … has been exceeded.' });
    const id = await create(instanceId);
    expect(await reaches(id, 'failed')).toMatchObject({ StateReason: { Code: 'Server.InternalError' } });
  });

  it('is refused for what is no instance of the caller’s', async () => {
    expect(await refused(create('i-0123456789abcdef0'))).toBe('InvalidInstanceID.NotFound');
    expect(await refused(create('i-1'))).toBe('InvalidInstanceID.Malformed');
    const id = await instance();
    expect(await refused(call('CreateImage', { InstanceId: id, Name: name() }, BOB))).toBe('InvalidInstanceID.NotFound'); // prettier-ignore
    expect(await refused(create(id, { DryRun: true }))).toBe('DryRunOperation');
    expect(await refused(create(id, { SnapshotLocation: 'local' }))).toBe('UnsupportedOperation');
  });
});

describe('CopyImage', () => {
  it('copies each snapshot under the key that the table says', async () => {
    const [sourceKey, otherKey, managed] = [kms.key(), kms.key(), kms.key('alias/aws/ebs')];
    const plain = await register();
    const encrypted = await register({}, snapshots.encrypted(newSnapshotId(), sourceKey));
    const copied = async (source: string, input: Partial<ec2.CopyImageRequest> = {}) => {
      const id = await copy(source, input);
      const { BlockDeviceMappings = [], SourceImageId } = (await reaches(id, 'available')) ?? {};
      expect(SourceImageId).toBe(source);
      const ebs = BlockDeviceMappings[0]?.Ebs;
      const made = snapshots.copies.find(({ snapshotId }) => snapshotId === ebs?.SnapshotId);
      expect(ebs?.Encrypted).toBe(made?.keyArn !== null);
      return made?.keyArn;
    };
    expect(await copied(plain)).toBeNull();
    expect(await copied(plain, { Encrypted: true })).toBe(managed);
    expect(await copied(plain, { Encrypted: true, KmsKeyId: otherKey })).toBe(otherKey);
    expect(await copied(encrypted)).toBe(sourceKey);
    expect(await copied(encrypted, { Encrypted: true, KmsKeyId: otherKey })).toBe(otherKey);
    defaults.encryptionByDefault = true;
    expect(await copied(plain)).toBe(managed);
    expect(await copied(encrypted)).toBe(sourceKey);
  });

  it('refuses at once a key that cannot be used', async () => {
    const id = await register();
    const disabled = kms.key();
    kms.disable(disabled);
    const tried = (input: Partial<ec2.CopyImageRequest>) => copy(id, input).catch((error: AwsError) => error);
    expect(await tried({ Encrypted: true, KmsKeyId: disabled })).toMatchObject({
      code: 'InvalidParameterValue',
      message: `The specified keyId ${disabled} is disabled`,
    });
    expect(await tried({ Encrypted: true, KmsKeyId: 'alias/absent' })).toMatchObject({
      message: 'The specified keyId alias/absent is invalid',
    });
    expect(await tried({ KmsKeyId: disabled })).toMatchObject({ code: 'InvalidParameterDependency' });
  });

  it('makes one image of a repeated client token, however close the requests are', async () => {
    const source = await register();
    const wish = { ClientToken: randomUUID(), Name: name() };
    const all = await Promise.all(Array.from({ length: 5 }, () => copy(source, wish)));
    expect(new Set(all).size).toBe(1);
    expect(await refused(copy(source, { ...wish, Name: name() }))).toBe('IdempotentParameterMismatch');
  });

  it('fails when a copy ends in error', async () => {
    snapshots.begins = 'error';
    const id = await copy(await register());
    expect((await reaches(id, 'failed'))?.StateReason?.Code).toBe('Client.InternalError');
  });

  it('needs the snapshots to be shared as well', async () => {
    const snapshotId = snapshots.add(newSnapshotId());
    const id = await register({}, snapshotId);
    expect(await refused(copy(id, {}, BOB))).toBe('InvalidAMIID.NotFound');
    await share(id, BOB.accountId);
    await expect(copy(id, {}, BOB)).rejects.toMatchObject({
      code: 'InvalidRequest',
      message: 'You do not have permission to access the storage of this ami',
    });
    snapshots.add(snapshotId, { sharedWith: [BOB.accountId] });
    await reaches(await copy(id, {}, BOB), 'available', BOB);
  });

  it.each<[Partial<ec2.CopyImageRequest>, string]>([
    [{ SourceRegion: 'mars-1' }, 'InvalidRegion'],
    [{ SourceImageId: 'ami-0123456789abcdef0' }, 'InvalidAMIID.NotFound'],
    [{ SourceImageId: 'x' }, 'InvalidAMIID.Malformed'],
    [{ SourceRegion: 'us-east-1' }, 'InvalidAMIID.NotFound'],
    [{ DestinationOutpostArn: 'arn:aws:outposts:x' }, 'UnsupportedOperation'],
    [{ DryRun: true }, 'DryRunOperation'],
  ])('is refused: %j', async (input, code) => expect(await refused(copy(await register(), input))).toBe(code));
});

describe('the life of an image', () => {
  const DAY_HOURS = 24;
  const attribute = async (ImageId: string) =>
    (await call<ec2.ImageAttribute>('DescribeImageAttribute', { ImageId, Attribute: 'deregistrationProtection' }))
      .DeregistrationProtection?.Value;
  const listed = async (id: string, input: ec2.DescribeImagesRequest, fields = {}) =>
    (await images({ Filters: [{ Name: 'image-id', Values: [id] }], ...input }, fields)).length === 1;
  const publish = (ImageId: string) => call('ModifyImageAttribute', { ImageId, LaunchPermission: { Add: [{ Group: 'all' }] } }); // prettier-ignore
  afterEach(() => stack.turnClock(0));

  it('hides a deprecated one from others who do not know it', async () => {
    const id = await register();
    await share(id, BOB.accountId);
    const soon = new Date(Date.now() + 3_600_000);
    expect(await call('EnableImageDeprecation', { ImageId: id, DeprecateAt: soon.toISOString() })).toEqual({ Return: true }); // prettier-ignore
    const shown = (await image(id))?.DeprecationTime ?? '';
    expect([shown.slice(16), Math.abs(Date.parse(shown) - soon.getTime()) <= 30_000]).toEqual([':00.000Z', true]);
    expect(await listed(id, {}, BOB)).toBe(true);
    await stack.turnClock(2);
    expect(await listed(id, {}, BOB)).toBe(false);
    expect(await listed(id, { IncludeDeprecated: true }, BOB)).toBe(true);
    expect(await image(id, BOB)).toMatchObject({ ImageId: id });
    expect(await listed(id, {})).toBe(true);
    await run(id, BOB);
    await call('DisableImageDeprecation', { ImageId: id });
    expect((await image(id))?.DeprecationTime).toBeUndefined();
    expect(await listed(id, {}, BOB)).toBe(true);
    const deprecate = (DeprecateAt?: string) => refused(call('EnableImageDeprecation', { ImageId: id, DeprecateAt }));
    expect(await deprecate('2020-01-01T00:00:00.000Z')).toBe('InvalidParameterValue');
    expect(await deprecate('2090-01-01T00:00:00.000Z')).toBe('InvalidParameterValue');
    expect(await deprecate()).toBe('MissingParameter');
    expect(await refused(call('DisableImageDeprecation', { ImageId: id }, BOB))).toBe('AuthFailure');
  });

  it('deprecates public ones two years after their creation', async () => {
    const id = await register();
    await publish(id);
    const { CreationDate = '', DeprecationTime = '' } = (await image(id)) ?? {};
    expect(new Date(DeprecationTime).getUTCFullYear() - new Date(CreationDate).getUTCFullYear()).toBe(2);
    expect(await refused(call('DisableImageDeprecation', { ImageId: id }))).toBe('OperationNotPermitted');
    expect(await listed(id, {}, BOB)).toBe(true);
    await stack.turnClock(2 * 366 * DAY_HOURS);
    expect(await listed(id, {}, BOB)).toBe(false);
    expect(await images({ Owners: ['amazon'] })).toHaveLength(1);
  });

  it('lets nobody use a disabled one', async () => {
    const id = await register();
    await share(id, BOB.accountId);
    expect(await call('DisableImage', { ImageId: id })).toEqual({ Return: true });
    expect(await listed(id, {})).toBe(false);
    expect(await images({ ImageIds: [id], IncludeDisabled: true })).toMatchObject([{ ImageId: id, State: 'disabled' }]);
    expect(await refused(run(id))).toBe('InvalidAMIID.Unavailable');
    expect(await refused(copy(id))).toBe('InvalidAMIID.Unavailable');
    expect(await refused(run(id, BOB))).toBe('AuthFailure');
    expect(await refused(share(id, BOB.accountId))).toBe('IncorrectState');
    const snapshotId = (await images({ ImageIds: [id], IncludeDisabled: true }))[0]?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId; // prettier-ignore
    expect(await call('ListImagesOfSnapshot', { snapshotId })).toEqual({ imageIds: [id] });
    expect(await call('ListImagesOfSnapshot', { snapshotId, exceptDisabled: true })).toEqual({ imageIds: [] });
    expect(await refused(call('EnableImage', { ImageId: id, DryRun: true }))).toBe('DryRunOperation');
    await call('EnableImage', { ImageId: id });
    expect((await image(id))?.State).toBe('available');
    expect(await refused(image(id, BOB))).toBe('InvalidAMIID.NotFound');
  });

  it('makes none public where the account blocks that', async () => {
    const id = await register();
    stack.publicAccess = 'block-new-sharing';
    expect(await refused(publish(id))).toBe('OperationNotPermitted');
    await share(id, BOB.accountId);
    stack.publicAccess = 'unblocked';
    await publish(id);
    stack.publicAccess = 'block-new-sharing';
    expect((await image(id))?.Public).toBe(true);
  });

  it('deregisters none that is protected, nor within its cooldown', async () => {
    const id = await register();
    const set = (action: string, input = {}) => call(`${action}ImageDeregistrationProtection`, { ImageId: id, ...input });
    expect(await attribute(id)).toBe('disabled');
    expect(await set('Enable')).toEqual({ Return: 'enabled-without-cooldown' });
    expect(await refused(call('DeregisterImage', { ImageId: id }))).toBe('OperationNotPermitted');
    expect(await set('Disable')).toEqual({ Return: 'disabled' });
    expect(await set('Enable', { WithCooldown: true })).toEqual({ Return: 'enabled-with-cooldown' });
    expect((await image(id))?.DeregistrationProtection).toBe('enabled-with-cooldown');
    expect(await set('Disable')).toMatchObject({ Return: expect.stringMatching(/^disabled after 20/) as string });
    expect(await refused(call('DeregisterImage', { ImageId: id }))).toBe('OperationNotPermitted');
    await stack.turnClock(DAY_HOURS + 1);
    expect(await attribute(id)).toBe('disabled');
    expect(await call('DeregisterImage', { ImageId: id })).toEqual({ Return: true });
  }); // prettier-ignore

  it('ends in the Recycle Bin where a rule says so, and goes on when its snapshots are there', async () => {
    const wish = { Name: name(), TagSpecifications: [{ ResourceType: 'image' as const, Tags: [{ Key: 'keep', Value: 'yes' }] }] }; // prettier-ignore
    const snapshotId = snapshots.add(newSnapshotId());
    const id = await register(wish, snapshotId);
    await share(id, BOB.accountId);
    snapshots.retention = ({ keep }) => (keep === 'yes' ? 3 : null);
    await call('DeregisterImage', { ImageId: id });
    const bin = async (input = {}) =>
      (await call<ec2.ListImagesInRecycleBinResult>('ListImagesInRecycleBin', input)).Images ?? [];
    const inBin = async () => (await bin()).filter(({ ImageId }) => ImageId === id);
    const restore = (fields = {}, input = {}) => call('RestoreImageFromRecycleBin', { ImageId: id, ...input }, fields);
    expect([await image(id), await image(id, BOB)]).toEqual([undefined, undefined]);
    expect(await listed(id, { IncludeDisabled: true, IncludeDeprecated: true })).toBe(false);
    expect(await refused(run(id))).toBe('InvalidAMIID.Unavailable');
    expect(await refused(call('DisableImage', { ImageId: id }))).toBe('InvalidAMIID.Unavailable');
    expect(await call('ListImagesOfSnapshot', { snapshotId })).toEqual({ imageIds: [] });
    const [row] = await bin({ ImageIds: [id] });
    expect(row).toMatchObject({ ImageId: id, Name: wish.Name });
    expect(Date.parse(row?.RecycleBinExitTime ?? '') - Date.parse(row?.RecycleBinEnterTime ?? '')).toBe(3 * 86_400_000);
    await call('CreateTags', { Resources: [id], Tags: [{ Key: 'more', Value: '1' }] });
    const Filters = [{ Name: 'resource-id', Values: [id] }];
    const tags = async () => (await call<ec2.DescribeTagsResult>('DescribeTags', { Filters })).Tags?.map(({ Key }) => Key); // prettier-ignore
    expect(await tags()).toEqual(['aws:recycle-bin:resource-in-bin', 'keep', 'more']);
    expect(await refused(restore(BOB))).toBe('InvalidAMIID.NotFound');
    const kept = snapshots.snapshots.get(snapshotId);
    snapshots.snapshots.delete(snapshotId);
    expect(await refused(restore())).toBe('InvalidSnapshot.NotFound');
    if (kept) snapshots.snapshots.set(snapshotId, kept);
    expect(await refused(restore({}, { DryRun: true }))).toBe('DryRunOperation');
    const other = await register({ Name: wish.Name });
    expect(await refused(restore())).toBe('InvalidAMIName.Duplicate');
    await call('DeregisterImage', { ImageId: other });
    expect(await restore()).toEqual({ Return: true });
    expect(await image(id, BOB)).toMatchObject({ State: 'available' });
    expect(await tags()).toEqual(['keep', 'more']);
    expect(await refused(restore())).toBe('InvalidAMIID.NotFound');
    await call('DeregisterImage', { ImageId: id });
    await stack.turnClock(3 * DAY_HOURS + 1);
    expect(await inBin()).toEqual([]);
    expect(await refused(restore())).toBe('InvalidAMIID.NotFound');
    await expect.poll(async () => tags()).toEqual([]);
  });

  it.each<[object, string]>([
    [{ ImageIds: ['x'] }, 'InvalidAMIID.Malformed'],
    [{ ImageIds: ['ami-0123456789abcdef0'] }, 'InvalidAMIID.NotFound'],
    [{ ImageIds: Array.from({ length: 21 }, () => 'ami-0123456789abcdef0') }, 'InvalidParameterValue'],
    [{ DryRun: true }, 'DryRunOperation'],
  ])('or what is in the bin is not listed: %j', async (input, code) =>
    expect(await refused(call('ListImagesInRecycleBin', input))).toBe(code),
  );

  it('answers for each snapshot that goes with it', async () => {
    const ids = ['/dev/xvda', '/dev/sdf', '/dev/sdg', '/dev/sdh'].map((DeviceName) => ({
      DeviceName,
      Ebs: { SnapshotId: snapshots.add(newSnapshotId()) },
    }));
    const id = await register({ BlockDeviceMappings: ids });
    const [denied = '', used = '', gone = '', free = ''] = ids.map(({ Ebs }) => Ebs.SnapshotId);
    snapshots.inUse.add(used);
    snapshots.snapshots.delete(gone);
    const input = { ImageId: id, DeleteAssociatedSnapshots: true };
    const deniedResources = [`arn:aws:ec2:eu-central-1::snapshot/${denied}`];
    const { DeleteSnapshotResults } = await call<ec2.DeregisterImageResult>('DeregisterImage', input, { deniedResources });
    expect(DeleteSnapshotResults).toEqual([
      { SnapshotId: denied, ReturnCode: 'missing-permissions' },
      { SnapshotId: used, ReturnCode: 'skipped' },
      { SnapshotId: gone, ReturnCode: 'client-error' },
      { SnapshotId: free, ReturnCode: 'success' },
    ]);
    expect([snapshots.snapshots.has(denied), snapshots.snapshots.has(free)]).toEqual([true, false]);
  }); // prettier-ignore
});
