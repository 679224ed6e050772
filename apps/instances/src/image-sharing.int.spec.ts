import type { ec2 } from '@holdfast/aws-protocol';
import { newSnapshotId } from '@holdfast/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { BOB, EVE, ImagesStack, refused } from './testing/images-stack.ts';

const stack = new ImagesStack();
const { call, copy, image, images, kms, register, run, share, snapshots, volumes } = stack;
beforeAll(() => stack.start(inject('postgresAdminUrl')));
beforeEach(stack.forget);
afterAll(() => stack.close());

describe('the launch permission', () => {
  const permissions = async (ImageId: string) =>
    (await call<ec2.ImageAttribute>('DescribeImageAttribute', { ImageId, Attribute: 'launchPermission' }))
      .LaunchPermissions;
  const modify = (ImageId: string, input: object) => call('ModifyImageAttribute', { ImageId, ...input });

  it('lets others see the image and launch from it, and ends', async () => {
    const id = await register();
    expect(await refused(image(id, BOB))).toBe('InvalidAMIID.NotFound');
    await expect(run(id, BOB)).rejects.toMatchObject({ code: 'AuthFailure', message: `Not authorized for images: [${id}]`, status: 400 }); // prettier-ignore
    await share(id, BOB.accountId, '111122223333');
    expect(await permissions(id)).toEqual([{ UserId: BOB.accountId }]);
    expect((await image(id, BOB))?.OwnerId).toBe('111122223333');
    const { Instances } = await run(id, BOB);
    // The volumes service is told through which image a snapshot may be used.
    const made = () =>
      [...volumes.volumes.values()].find(({ instanceId }) => instanceId === Instances?.[0]?.InstanceId);
    await expect.poll(made).toMatchObject({ throughImage: id });
    expect(await refused(run(id, EVE))).toBe('AuthFailure');
    await modify(id, { Attribute: 'launchPermission', OperationType: 'add', UserGroups: ['all'] });
    expect(await image(id, EVE)).toMatchObject({ Public: true });
    await modify(id, { LaunchPermission: { Remove: [{ UserId: BOB.accountId }, { Group: 'all' }] } });
    expect(await refused(image(id, BOB))).toBe('InvalidAMIID.NotFound');
    await share(id, EVE.accountId);
    await call('ResetImageAttribute', { ImageId: id, Attribute: 'launchPermission' });
    expect(await permissions(id)).toEqual([]);
  });

  it('is what makes an owner’s snapshot another’s to launch from', async () => {
    const snapshotId = snapshots.add(newSnapshotId());
    const imageId = await register({}, snapshotId);
    const owner = (fields: object, asked = { imageId, snapshotId: snapshotId as string }) =>
      call('GetLaunchableImageOwner', asked, fields);
    expect(await owner(BOB)).toBeNull();
    await share(imageId, BOB.accountId);
    expect(await owner(BOB)).toEqual({ ownerId: '111122223333' });
    expect(await owner(BOB, { imageId, snapshotId: newSnapshotId() })).toBeNull();
    expect(await owner(EVE)).toBeNull();
    expect(await owner({ ...BOB, region: 'us-east-1' })).toBeNull();
  });

  it('is refused where keys cannot be shared', async () => {
    const own = await register({}, snapshots.encrypted(newSnapshotId(), kms.key()));
    await expect(modify(own, { LaunchPermission: { Add: [{ Group: 'all' }] } })).rejects.toMatchObject({
      code: 'OperationNotPermitted',
      message: 'Encrypted snapshots cannot be shared publicly.',
    });
    await share(own, BOB.accountId);
    const managed = await register({}, snapshots.encrypted(newSnapshotId(), kms.key('alias/aws/ebs')));
    await expect(share(managed, BOB.accountId)).rejects.toMatchObject({
      message: 'Encrypted snapshots with EBS default key cannot be shared',
    });
  });

  it.each<[object, string]>([
    [{}, 'InvalidParameterCombination'],
    [{ LaunchPermission: { Add: [{ UserId: 'bob' }] } }, 'InvalidAMIAttributeItemValue'],
    [{ LaunchPermission: { Add: [{ Group: 'none' }] } }, 'InvalidAMIAttributeItemValue'],
    [{ LaunchPermission: { Add: [{ OrganizationArn: 'arn:aws:organizations::1:x' }] } }, 'UnsupportedOperation'],
    [{ Attribute: 'launchPermission', UserIds: ['444455556666'] }, 'InvalidParameterCombination'],
    [{ Attribute: 'launchPermission', OperationType: 'add' }, 'InvalidParameterCombination'],
    [{ OperationType: 'toggle', UserIds: ['444455556666'] }, 'InvalidParameterValue'],
    [{ ProductCodes: ['x'] }, 'UnsupportedOperation'],
    [{ Description: { Value: 'ü' } }, 'InvalidParameterValue'],
    [{ Description: { Value: 'x' }, DryRun: true }, 'DryRunOperation'],
  ])('or another attribute is not changed by %j', async (input, code) => {
    expect(await refused(modify(await register(), input))).toBe(code);
  });

  it('and every other attribute are the owner’s to ask for', async () => {
    const id = await register({ SriovNetSupport: 'simple' });
    await share(id, BOB.accountId);
    await modify(id, { Description: { Value: 'new' } });
    const attribute = (Attribute: string, fields = {}) => call('DescribeImageAttribute', { ImageId: id, Attribute }, fields);
    expect(await attribute('description')).toEqual({ ImageId: id, Description: { Value: 'new' } });
    expect(await attribute('sriovNetSupport')).toMatchObject({ SriovNetSupport: { Value: 'simple' } });
    expect(await attribute('productCodes')).toMatchObject({ ProductCodes: [] });
    expect(await refused(attribute('blockDeviceMapping'))).toBe('AuthFailure');
    expect(await refused(attribute('lastLaunchedTime'))).toBe('UnsupportedOperation');
    expect(await refused(attribute('x'))).toBe('InvalidParameterValue');
    expect(await refused(attribute('description', BOB))).toBe('AuthFailure');
    expect(await refused(attribute('description', EVE))).toBe('InvalidAMIID.NotFound');
  }); // prettier-ignore
});

describe('DescribeImages', () => {
  it('finds images by owner, by who may launch, and by filters', async () => {
    const id = await register({ Name: `find me ${randomUUID()}`, Architecture: 'x86_64', VirtualizationType: 'hvm' });
    await share(id, BOB.accountId);
    const found = async (input: ec2.DescribeImagesRequest, fields = {}) =>
      (await images(input, fields)).some(({ ImageId }) => ImageId === id);
    const filter = (Name: string, ...Values: string[]) => ({ Filters: [{ Name, Values }] });
    expect(await found({ Owners: ['self'] })).toBe(true);
    expect(await found({ Owners: ['self'] }, BOB)).toBe(false);
    expect(await found({ Owners: ['111122223333'] }, BOB)).toBe(true);
    expect(await found({ Owners: ['aws-marketplace'] })).toBe(false);
    expect(await found({ ExecutableUsers: ['self'] }, BOB)).toBe(true);
    expect(await found({ ExecutableUsers: ['self'] })).toBe(false);
    expect(await found({ ExecutableUsers: [BOB.accountId] })).toBe(true);
    expect(await found({ ExecutableUsers: ['all'] })).toBe(false);
    expect(await found(filter('name', 'find me *'))).toBe(true);
    expect(await found(filter('is-public', 'true'))).toBe(false);
    expect(await found(filter('block-device-mapping.encrypted', 'false'))).toBe(true);
    expect(await found(filter('block-device-mapping.volume-size', '9'))).toBe(false);
    expect(await found(filter('platform', 'windows'))).toBe(false);
    expect(await found({ ...filter('state', 'available'), IncludeDeprecated: true })).toBe(true);
    expect(await refused(images(filter('colour', 'red')))).toBe('InvalidParameterValue');
    expect(await refused(images({ Owners: ['nobody'] }))).toBe('InvalidUserID.Malformed');
  });

  it('pages through all of them without missing or repeating one', async () => {
    const carol = { accountId: '999900001111' };
    const source = await register();
    await call('ModifyImageAttribute', { ImageId: source, LaunchPermission: { Add: [{ Group: 'all' }] } });
    snapshots.snapshots.forEach((snapshot) => snapshot.sharedWith.push(carol.accountId));
    const made = new Set<string | undefined>();
    for (let n = 0; n < 12; n++) made.add(await copy(source, {}, carol));
    const seen: (string | undefined)[] = [];
    let NextToken: string | undefined;
    do {
      const input = { Owners: ['self'], MaxResults: 5, NextToken };
      const page = await call<ec2.DescribeImagesResult>('DescribeImages', input, carol);
      expect(page.Images?.length).toBeLessThanOrEqual(5);
      seen.push(...(page.Images ?? []).map(({ ImageId }) => ImageId));
      NextToken = page.NextToken;
    } while (NextToken);
    expect(seen).toHaveLength(12);
    expect(new Set(seen)).toEqual(made);
  });
});

describe('DeregisterImage', () => {
  it('happens once, and frees the snapshots', async () => {
    const snapshotId = snapshots.add(newSnapshotId());
    const id = await register({}, snapshotId);
    expect(await refused(call('DeregisterImage', { ImageId: id, DryRun: true }))).toBe('DryRunOperation');
    expect(await call('DeregisterImage', { ImageId: id })).toEqual({ Return: true });
    expect(await call('ListImagesOfSnapshot', { snapshotId })).toEqual({ imageIds: [] });
    await expect(call('DeregisterImage', { ImageId: id })).rejects.toMatchObject({
      code: 'InvalidAMIID.Unavailable',
      message: `The image id '[${id}]' is no longer available`,
    });
    expect(await refused(run(id))).toBe('InvalidAMIID.Unavailable');
    expect(await call('DescribeImages', { ImageIds: [id] })).toEqual({ Images: [] });
    expect(snapshots.snapshots.has(snapshotId)).toBe(true);
  });

  it('deletes the snapshots that it is told to, as far as they can be', async () => {
    const [used, free] = [snapshots.add(newSnapshotId()), snapshots.add(newSnapshotId())];
    snapshots.inUse.add(used);
    const gone = snapshots.add(newSnapshotId());
    const device = (DeviceName: string, SnapshotId: string) => ({ DeviceName, Ebs: { SnapshotId } });
    const BlockDeviceMappings = [device('/dev/xvda', used), device('/dev/sdf', free), device('/dev/sdg', gone)];
    const id = await register({ BlockDeviceMappings });
    snapshots.snapshots.delete(gone);
    expect(await call('DeregisterImage', { ImageId: id, DeleteAssociatedSnapshots: true })).toEqual({
      Return: true,
      DeleteSnapshotResults: [
        { SnapshotId: used, ReturnCode: 'skipped' },
        { SnapshotId: free, ReturnCode: 'success' },
        { SnapshotId: gone, ReturnCode: 'client-error' },
      ],
    });
  });
});

describe('tags of images', () => {
  it('are each reader’s own', async () => {
    const id = await register({ TagSpecifications: [{ ResourceType: 'image', Tags: [{ Key: 'a', Value: '1' }] }] });
    const tag = (Tags: ec2.Tag[], fields = {}) => call('CreateTags', { Resources: [id], Tags }, fields);
    expect(await refused(tag([{ Key: 'x' }], BOB))).toBe('InvalidAMIID.NotFound');
    await share(id, BOB.accountId);
    await tag([{ Key: 'b', Value: '2' }], BOB);
    await tag([{ Key: 'c', Value: '3' }]);
    expect((await image(id, BOB))?.Tags).toEqual([{ Key: 'b', Value: '2' }]);
    expect((await image(id))?.Tags).toEqual([{ Key: 'a', Value: '1' }, { Key: 'c', Value: '3' }]);
    await call('DeleteTags', { Resources: [id], Tags: [{ Key: 'a' }] });
    const Filters = [{ Name: 'resource-id', Values: [id] }];
    const { Tags } = await call<ec2.DescribeTagsResult>('DescribeTags', { Filters });
    expect(Tags).toEqual([{ ResourceId: id, ResourceType: 'image', Key: 'c', Value: '3' }]);
  }); // prettier-ignore
});
