import { deriveSigningKey } from '@holdfast/aws-protocol';
import type { Principal, PrincipalPolicies, PrincipalPoliciesAnswer } from '@holdfast/contracts';
import { turnClocks } from '@holdfast/service-kit';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ACCOUNT, ALLOW_ALL, document, RunningIdentity } from './testing/running-identity.ts';

let identity: RunningIdentity;
beforeAll(async () => {
  identity = await RunningIdentity.start(inject('postgresAdminUrl'));
});
afterAll(() => identity.close());

let suffix = 0;
/** A name of this test's own. */
const name = (stem: string) => `${stem}-${String(suffix)}`;
beforeEach(() => {
  suffix += 1;
});

const trusting = (AWS: string | string[], more: object = {}) =>
  document({ Effect: 'Allow', Principal: { AWS }, Action: 'sts:AssumeRole', ...more });
const role = async (stem: string, AssumeRolePolicyDocument: string, more: object = {}, accountId = ACCOUNT) => {
  const input = { RoleName: name(stem), AssumeRolePolicyDocument, ...more };
  const { Role } = await identity.call<{ Role: { Arn: string; RoleId: string } }>('CreateRole', input, { accountId });
  return Role;
};
const assume = async (principal: Principal, RoleArn: string, more: object = {}) => {
  const answer = await identity.credentials('AssumeRole', { RoleArn, RoleSessionName: 'session', ...more }, principal);
  const found = await identity.resolve(answer.credentials.AccessKeyId);
  if (found === null) throw new Error('the session is not there');
  return { ...answer, ...found };
};
const ASSUME_ANY = { Effect: 'Allow', Action: ['sts:AssumeRole', 'sts:TagSession'], Resource: '*' };
const policiesOf = (principal: Principal, ifNoneMatch?: string) =>
  identity.call<PrincipalPoliciesAnswer>('GetPrincipalPolicies', { principal, ifNoneMatch });
const policies = async (principal: Principal): Promise<PrincipalPolicies> => {
  const answer = await policiesOf(principal);
  if (answer === null || answer.notModified) throw new Error('no policies');
  return answer.policies;
};

describe('AssumeRole', () => {
  it('gives a session of the role whose credentials sign and carry its token', async () => {
    const bob = await identity.user(name('bob'));
    const { Arn, RoleId } = await role('target', trusting(bob.arn), { Path: '/svc/' });
    const { AssumedRoleUser, credentials, signingKey, sessionToken, principal } = await assume(bob, Arn);
    expect(AssumedRoleUser).toEqual({
      Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/${name('target')}/session`,
      AssumedRoleId: `${RoleId}:session`,
    });
    expect(credentials.AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(credentials.SecretAccessKey).toHaveLength(40);
    expect(sessionToken).toBe(credentials.SessionToken);
    const expected = deriveSigningKey(credentials.SecretAccessKey, '20260131', 'us-east-1', 'iam').export();
    expect(signingKey.equals(expected)).toBe(true);
    expect(principal).toMatchObject({
      ...{ type: 'AssumedRole', arn: `arn:aws:sts::${ACCOUNT}:assumed-role/${name('target')}/session` },
      ...{ principalId: `${RoleId}:session`, roleArn: Arn, sessionName: 'session' },
      accessKeyId: credentials.AccessKeyId,
    });
    expect(await identity.as(principal, 'GetCallerIdentity')).toEqual({
      ...{ Account: ACCOUNT, Arn: principal.arn, UserId: `${RoleId}:session` },
    });
    const lifeMs = Date.parse(credentials.Expiration) - Date.now();
    expect(lifeMs).toBeGreaterThan(3_400_000);
    expect(lifeMs).toBeLessThanOrEqual(3_600_000);
  });

  it('carries who is behind it from session to session, when trust and policies let it be said', async () => {
    const SET = { Action: ['sts:AssumeRole', 'sts:SetSourceIdentity'] };
    const allowed = { ...ASSUME_ANY, Action: '*' };
    const bob = await identity.user(name('bob'), allowed);
    const silent = await role('silent', trusting(ACCOUNT));
    const SourceIdentity = 'bob@example.com';
    await expect(assume(bob, silent.Arn, { SourceIdentity })).rejects.toMatchObject({ code: 'AccessDenied' });
    const isBob = { Condition: { StringEquals: { 'sts:SourceIdentity': SourceIdentity } } };
    const first = await role('first', trusting(ACCOUNT, { ...SET, ...isBob }));
    await expect(assume(bob, first.Arn, { SourceIdentity: 'eve' })).rejects.toMatchObject({ code: 'AccessDenied' });
    const made = await assume(bob, first.Arn, { SourceIdentity });
    expect(made).toMatchObject({ SourceIdentity, principal: { sourceIdentity: SourceIdentity } });
    await identity.call('PutRolePolicy', {
      ...{ RoleName: name('first'), PolicyName: 'p', PolicyDocument: document(allowed) },
    });
    const remembered = { Condition: { StringEquals: { 'aws:SourceIdentity': SourceIdentity } } };
    const second = await role('second', trusting(ACCOUNT, { ...SET, ...remembered }));
    expect(await assume(made.principal, second.Arn)).toMatchObject({ SourceIdentity });
    await expect(assume(made.principal, second.Arn, { SourceIdentity: 'eve' })).rejects.toMatchObject({
      code: 'AccessDenied',
    });
    await expect(assume(made.principal, silent.Arn)).rejects.toMatchObject({ code: 'AccessDenied' });
  });

  it('of a role that trusts the account needs an identity policy too', async () => {
    const { Arn } = await role('delegating', trusting(ACCOUNT));
    const without = await identity.user(name('without'));
    await expect(assume(without, Arn)).rejects.toMatchObject({ code: 'AccessDenied', status: 403 });
    const allowed = await identity.user(name('allowed'), ASSUME_ANY);
    expect((await assume(allowed, Arn)).principal.type).toBe('AssumedRole');
  });

  it('across accounts needs both sides', async () => {
    const other = '444455556666' as typeof ACCOUNT;
    const carol = await identity.user(name('carol'));
    const { Arn: named } = await role('foreign', trusting(carol.arn), {}, other);
    await expect(assume(carol, named)).rejects.toMatchObject({ code: 'AccessDenied' });
    const dave = await identity.user(name('dave'), ASSUME_ANY);
    await expect(assume(dave, named)).rejects.toMatchObject({ code: 'AccessDenied' });
    const { Arn } = await role('foreign-2', trusting(dave.arn), {}, other);
    expect((await assume(dave, Arn)).principal.accountId).toBe(other);
  });

  it('says the same of a role that does not exist as of one that does not trust the caller', async () => {
    const eve = await identity.user(name('eve'), ALLOW_ALL);
    const { Arn } = await role('closed', trusting('444455556666'));
    const text = async (arn: string) => {
      const error = await assume(eve, arn).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'AccessDenied', status: 403 });
      return (error as Error).message.replace(arn, 'ROLE');
    };
    expect(await text(Arn)).toBe(`User: ${eve.arn} is not authorized to perform: sts:AssumeRole on resource: ROLE`);
    expect(await text(`arn:aws:iam::${ACCOUNT}:role/absent`)).toBe(await text(Arn));
  });

  it('asks for the external id that the trust policy asks for', async () => {
    const frank = await identity.user(name('frank'));
    const condition = { Condition: { StringEquals: { 'sts:ExternalId': 'secret-42' } } };
    const { Arn } = await role('external', trusting(frank.arn, condition));
    await expect(assume(frank, Arn)).rejects.toMatchObject({ code: 'AccessDenied' });
    await expect(assume(frank, Arn, { ExternalId: 'other' })).rejects.toMatchObject({ code: 'AccessDenied' });
    expect((await assume(frank, Arn, { ExternalId: 'secret-42' })).principal.roleArn).toBe(Arn);
  });

  it('keeps to the durations of the role and of chaining', async () => {
    const grace = await identity.user(name('grace'), ASSUME_ANY);
    const { Arn } = await role('long', trusting(ACCOUNT), { MaxSessionDuration: 7200 });
    await expect(assume(grace, Arn, { DurationSeconds: 7201 })).rejects.toMatchObject({
      ...{ code: 'ValidationError' },
      message: 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    });
    const first = await assume(grace, Arn, { DurationSeconds: 7200 });
    await identity.call('PutRolePolicy', {
      ...{ RoleName: name('long'), PolicyName: 'chain', PolicyDocument: document(ASSUME_ANY) },
    });
    await expect(assume(first.principal, Arn, { DurationSeconds: 3601 })).rejects.toMatchObject({
      message: 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    });
    expect((await assume(first.principal, Arn)).principal.type).toBe('AssumedRole');
  });

  it('is not for the root user', async () => {
    const { Arn } = await role('noroot', trusting(ACCOUNT));
    await expect(
      identity.credentials('AssumeRole', { RoleArn: Arn, RoleSessionName: 'session' }),
    ).rejects.toMatchObject({ code: 'AccessDenied', message: 'Roles may not be assumed by root accounts.' });
  });

  it('passes session policies and tags, and hands on those that are transitive', async () => {
    const heidi = await identity.user(name('heidi'), ASSUME_ANY);
    const trust = trusting(ACCOUNT, { Action: ['sts:AssumeRole', 'sts:TagSession'] });
    const { Arn } = await role('tagged', trust, { Tags: [{ Key: 'Team', Value: 'role' }, { Key: 'kept', Value: '1' }] }); // prettier-ignore
    await identity.call('PutRolePolicy', {
      ...{ RoleName: name('tagged'), PolicyName: 'chain', PolicyDocument: document(ASSUME_ANY) },
    });
    const Policy = document({ Effect: 'Allow', Action: ['sts:*', 'ec2:Describe*'], Resource: '*' });
    const { principal, PackedPolicySize } = await assume(heidi, Arn, {
      Policy,
      PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' }],
      Tags: [{ Key: 'team', Value: 'session' }, { Key: 'local', Value: 'x' }], // prettier-ignore
      TransitiveTagKeys: ['team'],
    });
    expect(PackedPolicySize).toBeGreaterThan(0);
    const found = await policies(principal);
    expect(found.principalTags).toEqual({ kept: '1', team: 'session', local: 'x' });
    expect(found.sessionPolicies?.map(({ sourceId }) => sourceId)).toEqual([
      ...['session', 'arn:aws:iam::aws:policy/ReadOnlyAccess'],
    ]);
    expect(found.sessionPolicies?.[0]?.document).toBe(Policy);
    const { principal: chained } = await assume(principal, Arn);
    expect(chained.sessionTags).toEqual({ team: 'session' });
    expect((await policies(chained)).sessionPolicies).toBeUndefined();
    await expect(assume(principal, Arn, { Tags: [{ Key: 'TEAM', Value: 'stolen' }] })).rejects.toMatchObject({
      code: 'ValidationError',
    });
  });

  it('with tags needs sts:TagSession', async () => {
    const ivan = await identity.user(name('ivan'));
    const { Arn } = await role('untagged', trusting(ivan.arn));
    await expect(assume(ivan, Arn, { Tags: [{ Key: 'a', Value: 'b' }] })).rejects.toMatchObject({
      ...{ code: 'AccessDenied' },
      message: expect.stringContaining('sts:TagSession') as string,
    });
  });

  it.each([
    [{ RoleArn: 'arn:aws:iam::1:role/x' }, 'ValidationError', 'arn:aws:iam::1:role/x is invalid'],
    [{ SerialNumber: 'arn:aws:iam::1:mfa/x' }, 'ValidationError', 'The parameter SerialNumber is not supported.'],
    [{ TransitiveTagKeys: ['a'] }, 'InvalidParameterValue', 'The specified transitive tag key must be included in the requested tags.'], // prettier-ignore
    [{ Tags: [{ Key: 'a', Value: '' }, { Key: 'A', Value: '' }] }, 'InvalidParameterValue', 'Duplicate tag keys found. Please note that Tag keys are case insensitive.'], // prettier-ignore
    [{ Policy: '{' }, 'MalformedPolicyDocument', /./],
    [{ Policy: document({ ...ALLOW_ALL, Sid: 'x'.repeat(2100) }) }, 'PackedPolicyTooLarge', /./],
    [{ PolicyArns: [{ arn: `arn:aws:iam::${ACCOUNT}:policy/absent` }] }, 'ValidationError', /does not exist/],
  ])('refuses %j', async (more, code, message) => {
    const judy = await identity.user(name('judy'));
    const { Arn } = await role('refusing', trusting(judy.arn));
    await expect(assume(judy, Arn, more)).rejects.toMatchObject({
      code,
      message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
    });
  });
});

describe('a session', () => {
  it('ends when its role is deleted, and a new role of that name does not revive it', async () => {
    const bob = await identity.user(name('bob'));
    const { Arn } = await role('doomed', trusting(bob.arn));
    const { credentials, principal } = await assume(bob, Arn);
    await identity.call('DeleteRole', { RoleName: name('doomed') });
    expect(await identity.resolve(credentials.AccessKeyId)).toBeNull();
    expect(await policiesOf(principal)).toBeNull();
    await role('doomed', trusting(bob.arn));
    expect(await identity.resolve(credentials.AccessKeyId)).toBeNull();
    expect(await policiesOf(principal)).toBeNull();
  });

  it('is known to have ended once its time is over', async () => {
    const bob = await identity.user(name('bob'));
    const { credentials } = await identity.credentials('GetSessionToken', { DurationSeconds: 900 }, bob);
    const expiry = async () => Date.parse((await identity.resolve(credentials.AccessKeyId))?.expiresAt ?? '');
    expect(await expiry()).toBeGreaterThan(Date.now());
    await turnClocks(identity.stack.bus.connection, ['identity'], 901_000);
    try {
      await expect.poll(expiry).toBeLessThan(Date.now());
    } finally {
      await turnClocks(identity.stack.bus.connection, ['identity'], 0);
    }
  });

  it('of another user is not believed to be theirs', async () => {
    const [bob, mallory] = [await identity.user(name('bob')), await identity.user(name('mallory'), ALLOW_ALL)];
    const { credentials } = await identity.credentials('GetSessionToken', {}, mallory);
    expect(await policiesOf({ ...bob, accessKeyId: credentials.AccessKeyId })).toBeNull();
  });
});

describe('GetSessionToken', () => {
  it('gives the user credentials with the same permissions, that call no IAM and make no further ones', async () => {
    const bob = await identity.user(name('bob'), ALLOW_ALL);
    const { credentials } = await identity.credentials('GetSessionToken', {}, bob);
    const found = await identity.resolve(credentials.AccessKeyId);
    const principal = found?.principal as Principal;
    expect(principal).toMatchObject({ type: 'User', arn: bob.arn, userName: bob.userName });
    expect(found?.sessionToken).toBe(credentials.SessionToken);
    const { sessionPolicies, identityPolicies } = await policies(principal);
    expect([sessionPolicies, identityPolicies.length]).toEqual([undefined, 1]);
    await expect(identity.as(principal, 'ListUsers')).rejects.toMatchObject({ code: 'InvalidClientTokenId' });
    await expect(identity.credentials('GetSessionToken', {}, principal)).rejects.toMatchObject({
      ...{ code: 'AccessDenied', message: 'Cannot call GetSessionToken with session credentials' },
    });
    await identity.call('UpdateUser', { UserName: bob.userName, NewUserName: name('robert') });
    expect((await identity.resolve(credentials.AccessKeyId))?.principal.userName).toBe(name('robert'));
  });

  it('lasts an hour at most for the root user', async () => {
    const { credentials } = await identity.credentials('GetSessionToken', { DurationSeconds: 43_200 });
    expect(Date.parse(credentials.Expiration) - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect((await identity.resolve(credentials.AccessKeyId))?.principal.type).toBe('Root');
  });
});

describe('GetFederationToken', () => {
  it('limits what its user may to the policies that were passed, which may be none', async () => {
    const bob = await identity.user(name('bob'), ALLOW_ALL);
    const none = await identity.credentials('GetFederationToken', { Name: 'guest' }, bob);
    expect(none.FederatedUser).toEqual({
      ...{ FederatedUserId: `${ACCOUNT}:guest`, Arn: `arn:aws:sts::${ACCOUNT}:federated-user/guest` },
    });
    const principal = (await identity.resolve(none.credentials.AccessKeyId))?.principal as Principal;
    expect(principal).toMatchObject({ type: 'FederatedUser', userName: bob.userName, principalId: `${ACCOUNT}:guest` });
    expect((await policies(principal)).sessionPolicies).toEqual([]);
    const Policy = document({ Effect: 'Allow', Action: 'ec2:*', Resource: '*' });
    const some = await identity.credentials('GetFederationToken', { Name: 'guest', Policy }, bob);
    const guest = (await identity.resolve(some.credentials.AccessKeyId))?.principal as Principal;
    expect(await policies(guest)).toMatchObject({
      sessionPolicies: [{ document: Policy }],
      identityPolicies: [{ document: document(ALLOW_ALL) }],
      userName: bob.userName,
    });
    await expect(identity.as(guest, 'ListUsers')).rejects.toMatchObject({ code: 'InvalidClientTokenId' });
    await expect(assume(guest, `arn:aws:iam::${ACCOUNT}:role/x`)).rejects.toMatchObject({ code: 'AccessDenied' });
  });
});
