import type { ec2 } from '@holdfast/aws-protocol';
import { testContext } from '@holdfast/messaging/testing';
import { generateRecipient } from '@holdfast/sealing';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { start } from './service.ts';
import { FakeVolumes } from './testing/fake-volumes.ts';

/** `web` has a role, `empty` has none. */
const PROFILES = 'arn:aws:iam::111122223333:instance-profile/';
const find = ({ name, arn }: { name?: string; arn?: string }) => {
  const found = ['web', 'other', 'empty'].find((known) => known === name || `${PROFILES}${known}` === arn);
  if (found === undefined) return Promise.resolve(null);
  const roleArn = found === 'empty' ? null : 'arn:aws:iam::111122223333:role/r';
  return Promise.resolve({ arn: `${PROFILES}${found}`, instanceProfileId: `AIPA${found}`, roleArn });
};

let stack: TestStack;
const fake = new FakeVolumes();
beforeAll(async () => {
  stack = await startTestStack(inject('postgresAdminUrl'));
  await stack.bus.serveRequests('volumes', fake.handlers);
  await stack.bus.serveRequests('identity', { FindInstanceProfile: find });
  await stack.start(start, { hostId: 'host-1' });
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

describe('a key pair', () => {
  const PUBLIC = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFIEBSqtPxNimqZYFSdh+H/SNTOBPZ+tcRDo6B+SWO6n';
  const material = Buffer.from(`${PUBLIC} ada`).toString('base64');
  const tags = (kind: string) => [{ ResourceType: kind, Tags: [{ Key: 'a', Value: '1' }] }];

  it('comes with its private key, sealed to who asked, which is kept nowhere', async () => {
    const recipient = await generateRecipient();
    const requestId = 'create-key-pair';
    const fields = { requestId, recipientPublicKey: recipient.publicKeyBase64 };
    const wish = { KeyName: 'made', KeyType: 'ed25519', TagSpecifications: tags('key-pair') };
    const made = await call<ec2.KeyPair>('CreateKeyPair', wish, fields);
    const pem = (await recipient.open(made.KeyMaterial ?? '', `instances.CreateKeyPair.${requestId}`)).toString();
    recipient.destroy();
    expect(pem).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/);
    const { KeyPairs } = await call<ec2.DescribeKeyPairsResult>('DescribeKeyPairs', { KeyNames: ['made'], IncludePublicKey: true }); // prettier-ignore
    expect(KeyPairs).toMatchObject([
      { ...{ KeyPairId: made.KeyPairId, KeyFingerprint: made.KeyFingerprint }, KeyType: 'ed25519', Tags: made.Tags },
    ]);
    expect(KeyPairs?.[0]?.PublicKey).toMatch(/^ssh-ed25519 \S+ made$/);
    await expect(call('CreateKeyPair', { KeyName: 'unsealed' })).rejects.toBeDefined();
    await expect(call('DescribeKeyPairs', { KeyNames: ['unsealed'] })).rejects.toMatchObject({
      code: 'InvalidKeyPair.NotFound',
    });
  });

  it('is imported once, tagged, launched with, and deleted as often as one likes', async () => {
    const wish = { KeyName: 'ada', PublicKeyMaterial: material };
    const race = await Promise.allSettled([1, 2, 3].map(() => call<ec2.KeyPair>('ImportKeyPair', wish)));
    const won = race.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const lost = race.flatMap((one) => (one.status === 'rejected' ? [one.reason as { code: string }] : []));
    expect([won.length, ...lost.map(({ code }) => code)]).toEqual([1, ...Array<string>(2).fill('InvalidKeyPair.Duplicate')]); // prettier-ignore
    const KeyPairId = won[0]?.KeyPairId ?? '';
    await call('CreateTags', { Resources: [KeyPairId], Tags: [{ Key: 'b', Value: '2' }] });
    const Filters = [{ Name: 'tag:b', Values: ['2'] }, { Name: 'fingerprint', Values: ['dQV6*'] }]; // prettier-ignore
    const { KeyPairs } = await call<ec2.DescribeKeyPairsResult>('DescribeKeyPairs', { Filters });
    expect(KeyPairs?.map((key) => key.KeyPairId)).toEqual([KeyPairId]);
    const id = await launch({ KeyName: 'ada' });
    expect(await call('DeleteKeyPair', { KeyPairId })).toEqual({ Return: true, KeyPairId });
    expect(await call('DeleteKeyPair', { KeyName: 'ada' })).toEqual({ Return: true });
    expect((await describeOne(id))?.KeyName).toBe('ada');
  });

  it.each([
    ['ImportKeyPair', { KeyName: 'x', PublicKeyMaterial: 'AAAA' }, 'InvalidKey.Format'],
    ['ImportKeyPair', { KeyName: 'x', PublicKeyMaterial: material, DryRun: true }, 'DryRunOperation'],
    ['CreateKeyPair', { KeyName: 'x', KeyType: 'dsa' }, 'InvalidParameterValue'],
    ['CreateKeyPair', { KeyName: 'x', KeyFormat: 'ppk' }, 'UnsupportedOperation'],
    ['CreateKeyPair', { KeyName: 'x', DryRun: true }, 'DryRunOperation'],
    ['CreateTags', { Resources: ['key-0123456789abcdef0'], Tags: [{ Key: 'a' }] }, 'InvalidKeyPair.NotFound'],
    ['DeleteKeyPair', {}, 'MissingParameter'],
  ])('refuses %s %j with %s', async (action, input, code) => {
    await expect(call(action, input)).rejects.toMatchObject({ code });
  });
});

describe('an instance profile', () => {
  const associations = async (InstanceId: string) =>
    (
      await call<ec2.DescribeIamInstanceProfileAssociationsResult>('DescribeIamInstanceProfileAssociations', {
        Filters: [{ Name: 'instance-id', Values: [InstanceId] }],
      })
    ).IamInstanceProfileAssociations;

  it('is told by instance and by association, replaced, taken away and given', async () => {
    const InstanceId = await launch({ IamInstanceProfile: { Name: 'web' } });
    const web = { Arn: `${PROFILES}web`, Id: 'AIPAweb' };
    expect((await reaches(InstanceId, 'running'))?.IamInstanceProfile).toEqual(web);
    const [first] = (await associations(InstanceId)) ?? [];
    expect(first).toMatchObject({ InstanceId, IamInstanceProfile: web, State: 'associated' });
    const other = { IamInstanceProfile: { Arn: `${PROFILES}other` } };
    const { AssociationId } = first ?? {};
    await expect(call('AssociateIamInstanceProfile', { InstanceId, ...other })).rejects.toMatchObject({
      ...{ code: 'IncorrectState', message: `There is an existing association for instance ${InstanceId}` },
    });
    await call('ReplaceIamInstanceProfileAssociation', { AssociationId, ...other });
    const Filters = [
      { Name: 'iam-instance-profile.arn', Values: ['*/other'] },
      { Name: 'iam-instance-profile.id', Values: ['AIPAother'] },
    ];
    const found = await call<ec2.DescribeInstancesResult>('DescribeInstances', { Filters });
    expect(found.Reservations?.[0]?.Instances?.[0]?.InstanceId).toBe(InstanceId);
    await expect(call('DisassociateIamInstanceProfile', { AssociationId })).rejects.toMatchObject({
      ...{ code: 'InvalidAssociationID.NotFound', message: `An invalid association-id of '${String(AssociationId)}' was given` }, // prettier-ignore
    });
    const [second] = (await associations(InstanceId)) ?? [];
    await call('DisassociateIamInstanceProfile', { AssociationId: second?.AssociationId });
    expect([await associations(InstanceId), (await describeOne(InstanceId))?.IamInstanceProfile]).toEqual([[], undefined]); // prettier-ignore
  });

  it.each([
    [{ Filters: [{ Name: 'tag-key', Values: ['a'] }] }, 'InvalidParameterValue'],
    [{ AssociationIds: ['iip-assoc-0123456789abcdef0'] }, 'InvalidAssociationID.NotFound'],
    [{ MaxResults: 4 }, 'InvalidParameterValue'],
  ])('is not described by %j: %s', async (input, code) => {
    await expect(call('DescribeIamInstanceProfileAssociations', input)).rejects.toMatchObject({ code });
  });

  it.each([
    [{ Name: 'absent' }, 'Value (absent) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name'],
    [{ Arn: `${PROFILES}x` }, `Value (${PROFILES}x) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN`],
    [{ Name: 'empty' }, `IAM Instance Profile "${PROFILES}empty" has no associated IAM Roles`],
  ])('keeps a launch with %j from being', async (IamInstanceProfile, message) => {
    await expect(launch({ IamInstanceProfile })).rejects.toMatchObject({ code: 'InvalidParameterValue', message });
  }); // prettier-ignore
});

describe('monitoring and source checks', () => {
  it('are told where clients look for them', async () => {
    const InstanceId = await launch({ Monitoring: { Enabled: true } });
    await reaches(InstanceId, 'running');
    const monitored = async () => (await describeOne(InstanceId))?.Monitoring?.State;
    expect(await monitored()).toBe('enabled');
    await call('UnmonitorInstances', { InstanceIds: [InstanceId] });
    expect(await monitored()).toBe('disabled');
    await call('MonitorInstances', { InstanceIds: [InstanceId] });
    await call('ModifyInstanceAttribute', { InstanceId, SourceDestCheck: { Value: false } });
    const wanted = [{ Name: 'monitoring-state', Values: ['enabled'] }, { Name: 'source-dest-check', Values: ['false'] }]; // prettier-ignore
    const found = await call<ec2.DescribeInstancesResult>('DescribeInstances', { Filters: wanted });
    expect(found.Reservations?.[0]?.Instances).toMatchObject([{ InstanceId, NetworkInterfaces: [{ SourceDestCheck: false }] }]); // prettier-ignore
    const Filters = [{ Name: 'source-dest-check', Values: ['false'] }];
    const interfaces = await call<ec2.DescribeNetworkInterfacesResult>('DescribeNetworkInterfaces', { Filters });
    expect(interfaces.NetworkInterfaces?.map(({ Attachment }) => Attachment?.InstanceId)).toEqual([InstanceId]);
  });
});
