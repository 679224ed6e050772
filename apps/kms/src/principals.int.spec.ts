import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ACCOUNT, OTHER, refusal, runningKms } from './testing/running-kms.ts';

const kms = runningKms();
const me = () => kms().caller(ACCOUNT);
const newArn = (kind: 'user' | 'role' = 'user', account = ACCOUNT) =>
  `arn:aws:iam::${account}:${kind}/p${randomUUID()}`;
const policyFor = (...arns: string[]) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'kms:*', Resource: '*' },
      { Effect: 'Allow', Principal: { AWS: arns }, Action: 'kms:DescribeKey', Resource: '*' },
    ],
  });
const MALFORMED = refusal(
  'MalformedPolicyDocumentException',
  'Policy contains a statement with one or more invalid principals.',
);
const as = (arn: string, userId?: string) =>
  me().as({ principal: kms().giveUser(arn, [], userId === undefined ? {} : { userId }) });

describe('principals that do not exist', () => {
  it('are refused in key policies, one among others and of any account', async () => {
    const { id: KeyId } = await me().newKey({ MultiRegion: true });
    for (const absent of [newArn(), newArn('role'), newArn('user', OTHER), '999988887777', 'AIDAABSENTABSENT00000']) {
      kms().absent.add(absent);
      const Policy = policyFor(newArn(), absent);
      await expect(me().call('PutKeyPolicy', { KeyId, Policy })).rejects.toEqual(MALFORMED);
      await expect(me().call('CreateKey', { Policy })).rejects.toEqual(MALFORMED);
      const replica = { KeyId, ReplicaRegion: 'eu-west-1', Policy };
      await expect(me().call('ReplicateKey', replica)).rejects.toEqual(MALFORMED);
      const bypass = { KeyId, Policy, BypassPolicyLockoutSafetyCheck: true };
      await expect(me().call('PutKeyPolicy', bypass)).rejects.toEqual(MALFORMED);
    }
    kms().absent.delete('999988887777');
  });

  it('are refused as grantee and as retiring principal', async () => {
    const { id: KeyId } = await me().newKey();
    const session = `arn:aws:sts::${ACCOUNT}:assumed-role/absent/s`;
    for (const absent of [newArn(), newArn('role'), session]) {
      kms().absent.add(absent);
      const error = refusal('InvalidArnException', `ARN does not refer to a valid principal: ${absent}`);
      const [grant, operations] = [{ KeyId, GranteePrincipal: newArn() }, { Operations: ['Decrypt'] }];
      const asGrantee = { ...grant, ...operations, GranteePrincipal: absent };
      await expect(me().call('CreateGrant', asGrantee)).rejects.toEqual(error);
      await expect(me().call('CreateGrant', { ...asGrantee, DryRun: true })).rejects.toEqual(error);
      const asRetiring = { ...grant, ...operations, RetiringPrincipal: absent };
      await expect(me().call('CreateGrant', asRetiring)).rejects.toEqual(error);
    }
    expect((await me().call('ListGrants', { KeyId })).Grants).toEqual([]);
  });

  it('are not asked about by somebody who may not make the grant', async () => {
    const { id: KeyId } = await me().newKey();
    const absent = newArn();
    kms().absent.add(absent);
    const grant = { KeyId, GranteePrincipal: absent, Operations: ['Decrypt'] };
    await expect(as(newArn()).call('CreateGrant', grant)).rejects.toMatchObject({ code: 'AccessDeniedException' });
  });
});

describe('a user who is deleted and made again', () => {
  it('is not the one whom a key policy named; the policy tells so', async () => {
    const [bob, eve] = [newArn(), newArn()];
    const { id: KeyId } = await me().newKey({ Policy: policyFor(bob, eve) });
    await as(bob).call('DescribeKey', { KeyId });
    expect((await me().call('GetKeyPolicy', { KeyId })).Policy).toBe(policyFor(bob, eve));
    const second = as(bob, 'AIDASECONDSECOND00001');
    await expect(second.call('DescribeKey', { KeyId })).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await as(eve).call('DescribeKey', { KeyId });
    const { Policy } = await me().call('GetKeyPolicy', { KeyId });
    const firstId = `AIDA${bob.replace(/\W/g, '').toUpperCase()}`;
    expect(JSON.parse(Policy).Statement[1].Principal.AWS).toEqual([firstId, eve]);
    // The same text again means who has the name now.
    await me().call('PutKeyPolicy', { KeyId, Policy: policyFor(bob, eve) });
    await second.call('DescribeKey', { KeyId });
    expect((await me().call('GetKeyPolicy', { KeyId })).Policy).toBe(policyFor(bob, eve));
  });

  it('has no grant of the first, neither to use nor to retire it', async () => {
    const { id: KeyId, arn } = await me().newKey();
    const bob = newArn();
    const first = as(bob);
    const grant = { KeyId, GranteePrincipal: bob, RetiringPrincipal: bob, Operations: ['DescribeKey'], Name: 'once' };
    const { GrantId } = await me().call('CreateGrant', grant);
    await first.call('DescribeKey', { KeyId });
    const listed = async (filter: object = {}) => (await me().call('ListGrants', { KeyId, ...filter })).Grants;
    const named = { GrantId, GranteePrincipal: bob, RetiringPrincipal: bob };
    expect(await listed({ GranteePrincipal: bob })).toMatchObject([named]);
    const firstId = first.context().principal.principalId;
    const second = as(bob, 'AIDASECONDSECOND00002');
    await expect(second.call('DescribeKey', { KeyId })).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await expect(second.call('RetireGrant', { KeyId: arn, GrantId })).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    const shown = { GrantId, GranteePrincipal: firstId, RetiringPrincipal: firstId };
    expect(await listed()).toMatchObject([shown]);
    expect(await listed({ GranteePrincipal: bob })).toEqual([]);
    expect((await me().call('ListRetirableGrants', { RetiringPrincipal: bob })).Grants).toEqual([]);
    // The same name and terms, but for somebody else: another grant.
    expect((await me().call('CreateGrant', grant)).GrantId).not.toBe(GrantId);
    await second.call('DescribeKey', { KeyId });
    await second.call('RetireGrant', { KeyId: arn, GrantId: (await listed({ GranteePrincipal: bob }))[0].GrantId });
  });
});

it('a role is named by its id too, and its sessions come under it', async () => {
  const roleArn = newArn('role');
  const { id: KeyId } = await me().newKey({ Policy: policyFor(roleArn) });
  const session = (roleId: string) => {
    const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/${roleArn.split('/')[1]}/s`;
    kms().identities.set(arn, { identityPolicies: [], principalTags: {}, userId: `${roleId}:s` });
    const principal = { ...kms().giveUser(arn, []), type: 'AssumedRole' as const, principalId: `${roleId}:s`, roleArn };
    return me().as({ principal });
  };
  await session(kms().idOf(roleArn)!).call('DescribeKey', { KeyId });
  await expect(session('AROASECONDSECOND00001').call('DescribeKey', { KeyId })).rejects.toMatchObject({
    code: 'AccessDeniedException',
  });
});
