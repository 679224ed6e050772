import type { CallerPolicies, CallerPoliciesCache } from '@holdfast/access';
import { accountId, AwsError } from '@holdfast/contracts';
import { testContext } from '@holdfast/messaging/testing';
import { loadPolicy, principalOf } from '@holdfast/iam';
import type { Requests } from '@holdfast/messaging';
import { systemClock } from '@holdfast/service-kit';
import { describe, expect, it } from 'vitest';
import { Authorizer } from './authorizer.ts';

const context = testContext(10_000, {
  principal: {
    type: 'User',
    arn: 'arn:aws:iam::111122223333:user/nobody',
    accountId: accountId('111122223333'),
    principalId: 'AIDAEXAMPLE',
  },
});

/** An authorizer of a caller with `policies`, among services that answer by `<service>.<Action>`; what they were asked. */
const authorizer = (answers: Record<string, () => unknown>, allowed?: string) => {
  const asked: string[] = [];
  const kept: string[] = [];
  const answer = async (service: string, action: string, input: unknown) => {
    asked.push(`${service}.${action}${action === 'CheckCall' ? ` ${JSON.stringify(input)}` : ''}`);
    return Promise.resolve((answers[`${service}.${action}`] ?? (() => ({})))());
  };
  const requests = { request: answer, call: answer } as unknown as Requests;
  const document = JSON.stringify({ Statement: { Effect: 'Allow', Action: allowed ?? 'none:*', Resource: '*' } });
  const caller: CallerPolicies = {
    principal: principalOf(context.principal),
    identityPolicies: [loadPolicy(document, 'identity')],
    permissionsBoundary: null,
    sessionPolicies: undefined,
  };
  const policies = { of: () => Promise.resolve(caller) } as unknown as CallerPoliciesCache;
  const keep = (how: string) => () => Promise.resolve(void kept.push(how));
  const subject = new Authorizer(policies, requests, systemClock, {
    allowed: keep('allowed'),
    refused: keep('refused'),
  });
  return { subject, asked, kept };
};

const notFound = () => {
  throw new AwsError({ code: 'InvalidVolume.NotFound', message: "The volume 'vol-1' does not exist." });
};
const refusalOf = async (subject: Authorizer, operation: string, input: Record<string, unknown>) => {
  const request = { service: 'ec2' as const, operation, input };
  return subject.authorize(request, context).then(
    () => 'allowed',
    (error: unknown) => (error instanceof AwsError ? error.code : error),
  );
};

describe('a call that nothing allows', () => {
  it.each([
    ['CreateVolume', 'volumes'],
    ['DeleteVolume', 'volumes'],
    ['CopySnapshot', 'snapshots'],
    ['ModifySnapshotAttribute', 'snapshots'],
  ])('%s is refused for what is wrong with it, and otherwise for want of permission', async (operation, owner) => {
    const input = { VolumeId: 'vol-1' };
    const wrong = authorizer({ [`${owner}.CheckCall`]: notFound });
    expect(await refusalOf(wrong.subject, operation, input)).toBe('InvalidVolume.NotFound');
    expect(wrong.kept).toEqual([]);
    const right = authorizer({ 'identity.EncodeAuthorizationMessage': () => ({ encodedMessage: 'm' }) });
    expect(await refusalOf(right.subject, operation, input)).toBe('UnauthorizedOperation');
    expect(right.kept).toEqual(['refused']);
    expect(right.asked).toContain(`${owner}.CheckCall ${JSON.stringify({ action: operation, input })}`);
  });

  it.each(['ModifyVolume', 'CreateSnapshot', 'DescribeVolumes', 'DeleteSnapshot'])(
    '%s is refused for want of permission whatever else is wrong with it',
    async (operation) => {
      const { subject, asked } = authorizer({ 'identity.EncodeAuthorizationMessage': () => ({ encodedMessage: 'm' }) });
      expect(await refusalOf(subject, operation, { VolumeId: 'no id', SnapshotId: 'no id' })).toBe(
        'UnauthorizedOperation',
      );
      expect(asked.filter((call) => call.includes('CheckCall'))).toEqual([]);
    },
  );
});

it('asks nobody about a call that is allowed: its service says what is wrong with it', async () => {
  const { subject, asked, kept } = authorizer({ 'volumes.CheckCall': notFound }, 'ec2:CreateVolume');
  expect(await refusalOf(subject, 'CreateVolume', { Size: 1 })).toBe('allowed');
  expect(asked).toEqual(['account-settings.GetEncryptionDefaults']);
  expect(kept).toEqual(['allowed']);
});

describe('an image that is deregistered with its snapshots', () => {
  const input = { ImageId: 'ami-1', DeleteAssociatedSnapshots: true };
  const request = { service: 'ec2' as const, operation: 'DeregisterImage', input };
  const devices = [{ Ebs: { SnapshotId: 'snap-1' } }, { Ebs: { SnapshotId: 'snap-2' } }, { Ebs: {} }];
  const answers = { 'instances.DescribeImages': () => ({ Images: [{ BlockDeviceMappings: devices }] }) };

  it('is deregistered without those that its caller may not delete', async () => {
    const { subject, kept } = authorizer(answers, 'ec2:DeregisterImage');
    const arn = (id: string) => `arn:aws:ec2:eu-central-1::snapshot/${id}`;
    expect(await subject.authorize(request, context)).toEqual([arn('snap-1'), arn('snap-2')]);
    expect(kept.filter((how) => how === 'refused')).toHaveLength(2);
    expect(await authorizer(answers, 'ec2:D*').subject.authorize(request, context)).toEqual([]);
  });

  it('is not for one who may only delete the snapshots', async () => {
    const { subject } = authorizer(
      { ...answers, 'identity.EncodeAuthorizationMessage': () => ({ encodedMessage: 'm' }) },
      'ec2:DeleteSnapshot',
    );
    expect(await refusalOf(subject, 'DeregisterImage', input)).toBe('UnauthorizedOperation');
  });
});

it('asks for a snapshot’s tags before a block, though not before each one', async () => {
  const answers = { 'snapshots.DescribeTags': () => ({ Tags: [{ Key: 'team', Value: 'a' }] }) };
  const { subject, asked } = authorizer(answers, 'ebs:*');
  const of = (operation: string) => ({ service: 'ebs' as const, operation, input: { SnapshotId: 'snap-1' } });
  for (const operation of ['PutSnapshotBlock', 'PutSnapshotBlock', 'GetSnapshotBlock'])
    expect(await subject.authorize(of(operation), context)).toEqual([]);
  expect(asked).toEqual(['snapshots.DescribeTags']);
  await subject.authorize(of('ListSnapshotBlocks'), context);
  expect(asked).toHaveLength(2);
});
