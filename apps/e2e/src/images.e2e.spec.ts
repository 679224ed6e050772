import {
  CopyImageCommand,
  CreateImageCommand,
  CreateSnapshotCommand,
  CreateTagsCommand,
  DeleteSnapshotCommand,
  DeregisterImageCommand,
  DescribeImageAttributeCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  DescribeVpcsCommand,
  DisableImageBlockPublicAccessCommand,
  DisableImageCommand,
  DisableImageDeprecationCommand,
  DisableImageDeregistrationProtectionCommand,
  EC2Client,
  EnableImageBlockPublicAccessCommand,
  EnableImageCommand,
  EnableImageDeprecationCommand,
  EnableImageDeregistrationProtectionCommand,
  GetConsoleOutputCommand,
  GetImageBlockPublicAccessStateCommand,
  ListImagesInRecycleBinCommand,
  ModifyImageAttributeCommand,
  paginateDescribeInstanceTypes,
  RebootInstancesCommand,
  RegisterImageCommand,
  RestoreImageFromRecycleBinCommand,
  RestoreSnapshotFromRecycleBinCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import { ListGrantsCommand, PutKeyPolicyCommand } from '@aws-sdk/client-kms';
import { RbinClient } from '@holdfast/aws-protocol/testing';
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { newAccountId, REGION, TestAccount, ZONE } from './account.ts';
import { clientsFor, eventually } from './clients.ts';
import { readDevice, writeDevice } from './devices.ts';
import { sharedStack } from './stack.ts';

const ADA = newAccountId();
let stack: ReturnType<typeof sharedStack>;
let ada: TestAccount;
let bob: TestAccount;
let amazons: string;
beforeAll(async () => {
  stack = sharedStack();
  ada = new TestAccount(stack, ADA);
  bob = new TestAccount(stack, newAccountId());
  const { Images } = await ada.ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
  expect(Images).toMatchObject([{ RootDeviceType: 'ebs', RootDeviceName: '/dev/xvda', Public: true }]);
  amazons = Images?.[0]?.ImageId ?? '';
});

const image = async (account: TestAccount, id: string, ec2: EC2Client = account.ec2) =>
  (await ec2.send(new DescribeImagesCommand({ ImageIds: [id] }))).Images?.[0];
const settled = (account: TestAccount, id: string, ec2?: EC2Client) =>
  eventually(
    () => image(account, id, ec2),
    (found) => found?.State !== 'pending',
  );
const name = () => `image ${randomUUID()}`;
const run = async (account: TestAccount, ImageId: string, input: Partial<RunInstancesCommandInput> = {}) => {
  const wish = { ImageId, InstanceType: 't3.micro' as const, MinCount: 1, MaxCount: 1, ...input };
  const { Instances } = await account.ec2.send(
    new RunInstancesCommand({ Placement: { AvailabilityZone: ZONE }, ...wish }),
  );
  return Instances?.[0]?.InstanceId ?? '';
};
const instance = (account: TestAccount, id: string) =>
  eventually(
    async () =>
      (await account.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations?.[0]?.Instances?.[0],
    (found) => found?.State?.Name === 'running' || found?.State?.Name === 'terminated',
  );
const volumesOf = async (account: TestAccount, id: string) => {
  const filter = [{ Name: 'attachment.instance-id', Values: [id] }];
  const { Volumes = [] } = await account.ec2.send(new DescribeVolumesCommand({ Filters: filter }));
  return new Map(Volumes.map((volume) => [volume.Attachments?.[0]?.Device, volume]));
};
const device = (id: string, of = '/dev/xvda') => join(stack.home, 'instances', id, of);
const create = async (account: TestAccount, InstanceId: string) => {
  const { ImageId = '' } = await account.ec2.send(new CreateImageCommand({ InstanceId, Name: name(), NoReboot: true }));
  return ImageId;
};
const copy = async (account: TestAccount, SourceImageId: string, input: object = {}) => {
  const wish = { SourceImageId, SourceRegion: REGION, Name: name(), ...input };
  const { ImageId = '' } = await account.ec2.send(new CopyImageCommand(wish));
  return (await settled(account, ImageId)) ?? {};
};

describe('an image of an instance', () => {
  it('has the bytes that were there when it was made, under the same keys, for others too', async () => {
    const key = await ada.newKey();
    const data = { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, Encrypted: true, KmsKeyId: key } };
    const source = await run(ada, amazons, { BlockDeviceMappings: [data] });
    await instance(ada, source);
    const [onRoot, onData] = [randomBytes(1 << 20), randomBytes(1 << 20)];
    await writeDevice(device(source), onRoot);
    await writeDevice(device(source, '/dev/sdf'), onData);
    const id = await create(ada, source);
    // What is written after the answer is none of the image's.
    await writeDevice(device(source), randomBytes(1 << 20));
    const made = await settled(ada, id);
    expect(made).toMatchObject({ State: 'available', SourceInstanceId: source, Public: false });
    const [root, second] = made?.BlockDeviceMappings ?? [];
    expect([root?.DeviceName, root?.Ebs?.Encrypted]).toEqual(['/dev/xvda', false]);
    expect([second?.DeviceName, second?.Ebs?.Encrypted]).toEqual(['/dev/sdf', true]);
    const snapshotId = second?.Ebs?.SnapshotId ?? '';
    await expect(ada.ec2.send(new DeleteSnapshotCommand({ SnapshotId: snapshotId }))).rejects.toMatchObject({
      name: 'InvalidSnapshot.InUse',
      message: `The snapshot ${snapshotId} is currently in use by ${id}`,
    });

    const again = await run(ada, id);
    await instance(ada, again);
    const volumes = await volumesOf(ada, again);
    expect(volumes.get('/dev/xvda')).toMatchObject({ Encrypted: false });
    expect(volumes.get('/dev/sdf')).toMatchObject({ Encrypted: true, KmsKeyId: key });
    expect(await readDevice(device(again), onRoot.length)).toEqual(onRoot);
    expect(await readDevice(device(again, '/dev/sdf'), onData.length)).toEqual(onData);

    // Shared: bob launches under his default key, once he may use the snapshot's.
    await expect(run(bob, id)).rejects.toMatchObject({ name: 'AuthFailure', message: `Not authorized for images: [${id}]` }); // prettier-ignore
    const add = (LaunchPermission: object) =>
      ada.ec2.send(new ModifyImageAttributeCommand({ ImageId: id, LaunchPermission }));
    await expect(add({ Add: [{ Group: 'all' }] })).rejects.toMatchObject({ name: 'OperationNotPermitted' });
    await add({ Add: [{ UserId: bob.accountId }] });
    const refused = await instance(bob, await run(bob, id));
    expect(refused?.State?.Name).toBe('terminated');
    expect(refused?.StateReason?.Code).toBe('Client.InternalError');
    const AWS = [ada, bob].map(({ accountId }) => `arn:aws:iam::${accountId}:root`);
    const Statement = [{ Effect: 'Allow', Principal: { AWS }, Action: 'kms:*', Resource: '*' }];
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
    await ada.kms.send(new PutKeyPolicyCommand({ KeyId: key, Policy }));
    const bobs = await run(bob, id);
    await instance(bob, bobs);
    const theirs = (await volumesOf(bob, bobs)).get('/dev/sdf');
    expect(theirs?.Encrypted).toBe(true);
    expect(theirs?.KmsKeyId).toMatch(new RegExp(`:${bob.accountId}:key/`));
    expect(await readDevice(device(bobs, '/dev/sdf'), onData.length)).toEqual(onData);
    expect(await readDevice(device(bobs), onRoot.length)).toEqual(onRoot);
    await expect(copy(bob, id)).rejects.toMatchObject({ name: 'InvalidRequest' });

    for (const [account, ids] of [[ada, [source, again]], [bob, [bobs]]] as const)
      await account.ec2.send(new TerminateInstancesCommand({ InstanceIds: [...ids] })); // prettier-ignore
    await eventually(
      async () => (await ada.kms.send(new ListGrantsCommand({ KeyId: key }))).Grants,
      (grants) => grants?.length === 0,
    );
    const { DeleteSnapshotResults } = await ada.ec2.send(
      new DeregisterImageCommand({ ImageId: id, DeleteAssociatedSnapshots: true }),
    );
    expect(DeleteSnapshotResults?.map(({ ReturnCode }) => ReturnCode)).toEqual(['success', 'success']);
    expect(await image(ada, id)).toBeUndefined();
  });
});

describe('a copy of an image', () => {
  it('is encrypted as the table says, in a Region and across Regions', async () => {
    const key = await ada.newKey();
    const encrypted = await copy(ada, amazons, { Encrypted: true, KmsKeyId: key });
    expect(encrypted).toMatchObject({ State: 'available', SourceImageId: amazons, SourceImageRegion: REGION });
    const keyOf = async (found: typeof encrypted, account = ada) => {
      const snapshot = await account.snapshotSettled(found.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId ?? '');
      expect(snapshot.Encrypted).toBe(found.BlockDeviceMappings?.[0]?.Ebs?.Encrypted);
      return snapshot.KmsKeyId;
    };
    expect(await keyOf(encrypted)).toBe(key);
    expect(await keyOf(await copy(ada, encrypted.ImageId ?? ''))).toBe(key);
    expect(await keyOf(await copy(ada, amazons))).toBeUndefined();
    await expect(copy(ada, amazons, { KmsKeyId: key })).rejects.toMatchObject({ name: 'InvalidParameterDependency' });
    await expect(copy(ada, amazons, { Encrypted: true, KmsKeyId: 'alias/absent' })).rejects.toMatchObject({
      name: 'InvalidParameterValue',
      message: 'The specified keyId alias/absent is invalid',
    });

    const far = clientsFor(stack.endpoint, ada.accountId, 'us-east-1');
    const farAda = new TestAccount(stack, ada.accountId, far);
    const { ImageId = '' } = await far.ec2.send(
      new CopyImageCommand({ SourceImageId: encrypted.ImageId, SourceRegion: REGION, Name: name() }),
    );
    const there = (await settled(farAda, ImageId)) ?? {};
    // A key does not leave its Region: the copy is under the destination's default key, which cannot be shared.
    expect(await keyOf(there, farAda)).toMatch(new RegExp(`^arn:aws:kms:us-east-1:${ADA}:key/`));
    const LaunchPermission = { Add: [{ UserId: bob.accountId }] };
    await expect(far.ec2.send(new ModifyImageAttributeCommand({ ImageId, LaunchPermission }))).rejects.toMatchObject({
      name: 'OperationNotPermitted',
      message: 'Encrypted snapshots with EBS default key cannot be shared',
    });

    const id = await run(ada, encrypted.ImageId ?? '');
    await instance(ada, id);
    const root = (await volumesOf(ada, id)).get('/dev/xvda');
    expect(root).toMatchObject({ Encrypted: true, KmsKeyId: key, Size: 8 });
    expect(await readDevice(device(id), 4096)).toEqual(Buffer.alloc(4096));
  });
});

describe('an image of snapshots', () => {
  it('is registered, described, tagged and used in another zone', async () => {
    const volume = await ada.volume({ Size: 1 });
    const attached = await run(ada, amazons);
    await instance(ada, attached);
    const path = await ada.attach(volume.VolumeId, attached, '/dev/sdf');
    const written = randomBytes(1 << 20);
    await writeDevice(path, written);
    const whole = (await settled(ada, await create(ada, attached)))?.BlockDeviceMappings ?? [];
    const SnapshotId = whole.find(({ DeviceName }) => DeviceName === '/dev/sdf')?.Ebs?.SnapshotId ?? '';
    const root = {
      DeviceName: '/dev/sda1',
      Ebs: { SnapshotId, VolumeType: 'gp3' as const, DeleteOnTermination: true },
    };
    const { ImageId = '' } = await ada.ec2.send(
      new RegisterImageCommand({
        ...{ Name: name(), RootDeviceName: '/dev/sda1', Architecture: 'x86_64', VirtualizationType: 'hvm' },
        BlockDeviceMappings: [root],
        TagSpecifications: [{ ResourceType: 'image', Tags: [{ Key: 'made', Value: 'by hand' }] }],
      }),
    );
    await ada.ec2.send(new CreateTagsCommand({ Resources: [ImageId, attached], Tags: [{ Key: 'both', Value: '1' }] }));
    const Filters = [{ Name: 'tag:both', Values: ['1'] }];
    const { Tags = [] } = await ada.ec2.send(new DescribeTagsCommand({ Filters }));
    expect(Tags.map(({ ResourceType }) => ResourceType).sort()).toEqual(['image', 'instance']);
    const { Images } = await ada.ec2.send(new DescribeImagesCommand({ Owners: ['self'], Filters }));
    expect(Images).toMatchObject([{ ImageId, State: 'available', RootDeviceName: '/dev/sda1' }]);
    const attribute = new DescribeImageAttributeCommand({ ImageId, Attribute: 'launchPermission' });
    expect((await ada.ec2.send(attribute)).LaunchPermissions).toEqual([]);

    const { Vpcs } = await ada.ec2.send(
      new DescribeVpcsCommand({ Filters: [{ Name: 'isDefault', Values: ['true'] }] }),
    );
    const vpc = { Name: 'vpc-id', Values: [Vpcs?.[0]?.VpcId ?? ''] };
    const zone = { Name: 'availability-zone', Values: [`${REGION}c`] };
    const { Subnets } = await ada.ec2.send(new DescribeSubnetsCommand({ Filters: [vpc, zone] }));
    const { SecurityGroups } = await ada.ec2.send(new DescribeSecurityGroupsCommand({ Filters: [vpc] }));
    const id = await run(ada, ImageId, {
      Placement: undefined,
      SubnetId: Subnets?.[0]?.SubnetId,
      SecurityGroupIds: [SecurityGroups?.[0]?.GroupId ?? ''],
    });
    expect(await instance(ada, id)).toMatchObject({
      Placement: { AvailabilityZone: `${REGION}c` },
      VpcId: Vpcs?.[0]?.VpcId,
      SubnetId: Subnets?.[0]?.SubnetId,
    });
    const ofInstance = [{ Name: 'attachment.instance-id', Values: [id] }];
    const { NetworkInterfaces } = await ada.ec2.send(new DescribeNetworkInterfacesCommand({ Filters: ofInstance }));
    expect(NetworkInterfaces).toHaveLength(1);
    expect(await readDevice(device(id, '/dev/sda1'), written.length)).toEqual(written);
    expect((await volumesOf(ada, id)).get('/dev/sda1')).toMatchObject({ VolumeType: 'gp3', Size: 1 });
    await ada.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }));
    expect((await ada.ec2.send(new GetConsoleOutputCommand({ InstanceId: id }))).Output ?? '').toBe('');
    const types: string[] = [];
    for await (const page of paginateDescribeInstanceTypes({ client: ada.ec2, pageSize: 100 }, {}))
      types.push(...(page.InstanceTypes ?? []).map(({ InstanceType = '' }) => InstanceType));
    expect(new Set(types).size).toBe(types.length);
    expect(types).toContain('t3.micro');
  });
});

describe('the life of an image', () => {
  const owner = { accessKeyId: ADA, secretAccessKey: 'test' };
  const settings = (credentials: typeof owner) => ({ endpoint: stack.endpoint, region: REGION, credentials, maxAttempts: 1 }); // prettier-ignore
  const send = <Output>(command: unknown) => ada.ec2.send(command as never) as Promise<Output>;
  const refused = (command: unknown) => expect(send(command)).rejects;
  const registered = async (SnapshotId: string) => {
    const root = { DeviceName: '/dev/xvda', Ebs: { SnapshotId } };
    const input = { Name: name(), RootDeviceName: '/dev/xvda', BlockDeviceMappings: [root] };
    return (await ada.ec2.send(new RegisterImageCommand(input))).ImageId ?? '';
  };
  const snapshot = async () => {
    const { SnapshotId = '' } = await ada.ec2.send(
      new CreateSnapshotCommand({ VolumeId: (await ada.volume({ Size: 1 })).VolumeId }),
    );
    await ada.snapshotSettled(SnapshotId);
    return SnapshotId;
  };
  /** One who may deregister images, and delete no snapshot. */
  const helper = async () => {
    const root = new IAMClient(settings(owner));
    const UserName = `helper-${randomUUID()}`;
    await root.send(new CreateUserCommand({ UserName }));
    const { AccessKey } = await root.send(new CreateAccessKeyCommand({ UserName }));
    const Statement = [
      { Effect: 'Allow', Action: 'ec2:*', Resource: '*' },
      { Effect: 'Deny', Action: 'ec2:DeleteSnapshot', Resource: '*' },
    ];
    await root.send(new PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument: JSON.stringify({ Statement }) })); // prettier-ignore
    const { AccessKeyId: accessKeyId = '', SecretAccessKey: secretAccessKey = '' } = AccessKey ?? {};
    return new EC2Client(settings({ accessKeyId, secretAccessKey }));
  };

  it('is deprecated, disabled, protected, kept out of the public, and ends with a word on each snapshot', async () => {
    const SnapshotId = await snapshot();
    const [ImageId, twin] = [await registered(SnapshotId), await registered(SnapshotId)];
    const DeprecateAt = new Date(Date.now() + 86_400_000);
    await send(new EnableImageDeprecationCommand({ ImageId, DeprecateAt }));
    expect((await image(ada, ImageId))?.DeprecationTime).toMatch(/:00\.000Z$/);
    await send(new DisableImageDeprecationCommand({ ImageId }));
    await send(new DisableImageCommand({ ImageId }));
    await refused(new RunInstancesCommand({ ImageId, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 })).toMatchObject({ name: 'InvalidAMIID.Unavailable' }); // prettier-ignore
    await send(new EnableImageCommand({ ImageId }));
    const publish = new ModifyImageAttributeCommand({ ImageId, LaunchPermission: { Add: [{ Group: 'all' }] } });
    expect(await ada.ec2.send(new GetImageBlockPublicAccessStateCommand({}))).toMatchObject({
      ImageBlockPublicAccessState: 'block-new-sharing',
    });
    await refused(publish).toMatchObject({ name: 'OperationNotPermitted' });
    await send(new DisableImageBlockPublicAccessCommand({}));
    await send(publish);
    await send(new EnableImageBlockPublicAccessCommand({ ImageBlockPublicAccessState: 'block-new-sharing' }));
    expect((await image(bob, ImageId))?.Public).toBe(true);
    expect(await ada.ec2.send(new EnableImageDeregistrationProtectionCommand({ ImageId }))).toMatchObject({
      Return: 'enabled-without-cooldown',
    });
    await refused(new DeregisterImageCommand({ ImageId })).toMatchObject({ name: 'OperationNotPermitted' });
    await send(new DisableImageDeregistrationProtectionCommand({ ImageId }));
    const results = async (ec2: EC2Client, id: string) => {
      const input = { ImageId: id, DeleteAssociatedSnapshots: true };
      const { DeleteSnapshotResults = [] } = await ec2.send(new DeregisterImageCommand(input));
      return DeleteSnapshotResults.map(({ ReturnCode }) => ReturnCode);
    };
    const theirs = await helper();
    expect(await results(ada.ec2, ImageId)).toEqual(['skipped']);
    expect(await eventually(() => results(theirs, twin).catch(() => null), (codes) => codes !== null)).toEqual(['missing-permissions']); // prettier-ignore
    expect(await image(ada, twin)).toBeUndefined();
    expect((await ada.snapshotSettled(SnapshotId)).State).toBe('completed');
  });

  it('goes on after the Recycle Bin, once its snapshots are back', async () => {
    const rule = (ResourceType: string) => ({
      ResourceType,
      RetentionPeriod: { RetentionPeriodValue: 7, RetentionPeriodUnit: 'DAYS' },
    });
    const rbin = new RbinClient(settings(owner));
    const rules = ['EC2_IMAGE', 'EBS_SNAPSHOT'].map((type) => rbin.call<{ Identifier: string }>('CreateRule', rule(type)));
    const made = await Promise.all(rules);
    const SnapshotId = await snapshot();
    const ImageId = await registered(SnapshotId);
    const deregister = new DeregisterImageCommand({ ImageId, DeleteAssociatedSnapshots: true });
    expect((await ada.ec2.send(deregister)).DeleteSnapshotResults).toMatchObject([{ ReturnCode: 'success' }]);
    for (const { Identifier } of made) await rbin.call('DeleteRule', { Identifier });
    expect((await ada.ec2.send(new ListImagesInRecycleBinCommand({ ImageIds: [ImageId] }))).Images).toHaveLength(1);
    await refused(new RestoreImageFromRecycleBinCommand({ ImageId })).toMatchObject({ name: 'InvalidSnapshot.NotFound' });
    await send(new RestoreSnapshotFromRecycleBinCommand({ SnapshotId }));
    await send(new RestoreImageFromRecycleBinCommand({ ImageId }));
    expect(await image(ada, ImageId)).toMatchObject({ State: 'available' });
  }); // prettier-ignore
});
