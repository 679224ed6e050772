import { accountId, instant } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import type { CommandOf, IamCommand } from './iam.commands.ts';
import { iamDecider } from './iam.decider.ts';
import type { IamEvent } from './iam.events.ts';

const given = specification(iamDecider);
const fact = { accountId: accountId('111122223333'), at: instant(new Date('2026-01-31T12:00:00Z')) };
const arn = (name: string) => `arn:aws:iam::111122223333:policy/${name}`;
const AWS_POLICY = 'arn:aws:iam::aws:policy/ReadOnlyAccess';

const command = <Type extends IamCommand['type']>(
  type: Type,
  fields: Omit<CommandOf<Type>, 'type' | 'accountId' | 'at'>,
) => ({ type, ...fields, ...fact }) as unknown as CommandOf<Type>;

const user = (name: string, more: Partial<Extract<IamEvent, { type: 'UserCreated' }>> = {}): IamEvent => ({
  ...{ type: 'UserCreated', userId: `AIDA-${name}`, userName: name, path: '/', tags: {}, permissionsBoundary: null },
  ...{ ...fact, ...more },
});
const group = (name: string): IamEvent => ({
  ...{ type: 'GroupCreated', groupId: `AGPA-${name}`, groupName: name, path: '/', ...fact },
});
const role = (name: string): IamEvent => ({
  ...{ type: 'RoleCreated', roleId: `AROA-${name}`, roleName: name, path: '/', assumeRolePolicyDocument: '{}' },
  ...{ principalIds: {}, description: null, maxSessionDurationSeconds: 3600, tags: {}, permissionsBoundary: null },
  ...fact,
});
const policy = (name: string): IamEvent => ({
  ...{ type: 'PolicyCreated', policyId: `ANPA-${name}`, policyArn: arn(name), policyName: name, path: '/' },
  ...{ description: null, document: '{}', tags: {}, ...fact },
});
const version = (name: string, n: number, isDefault = false): IamEvent => ({
  ...{ type: 'PolicyVersionCreated', policyArn: arn(name), versionId: `v${String(n)}`, document: '{}', isDefault },
  ...fact,
});
const bob = { kind: 'user', entityId: 'AIDA-bob', ...fact } as const;
const attached = (policyArn: string): IamEvent => ({ type: 'PolicyAttached', policyArn, ...bob });
const key = (n: number): IamEvent => ({
  ...{ type: 'AccessKeyCreated', userId: 'AIDA-bob', accessKeyId: `AKIA${String(n)}`, ...fact },
});
const member: IamEvent = { type: 'UserAddedToGroup', userId: 'AIDA-bob', groupId: 'AGPA-ops', ...fact };
const entity = { kind: 'user', name: 'bob' } as const;
const createBob = command('CreateUser', { userId: 'AIDA-bob', name: 'bob', path: '/', tags: {}, boundary: null });

describe('names', () => {
  it('of users, groups and roles do not meet', () => {
    given(group('bob'), role('bob')).when(createBob).then(user('bob'));
  });
  it('are taken in any case', () => {
    given(user('BOB')).when(createBob).thenRefuses('EntityAlreadyExists');
  });
  it('are free again after deletion and renaming', () => {
    given(user('bob'), { type: 'UserDeleted', userId: 'AIDA-bob', userName: 'bob', ...fact })
      .when(createBob)
      .then(user('bob'));
    given(user('bob', { userId: 'AIDA-1' }), { type: 'UserUpdated', userId: 'AIDA-1', userName: 'rob', path: '/', ...fact }) // prettier-ignore
      .when(createBob)
      .then(user('bob'));
  });
  it('may change in case alone, and not to one that is taken', () => {
    given(user('bob'))
      .when(command('UpdateUser', { name: 'bob', newName: 'Bob' }))
      .then({ type: 'UserUpdated', userId: 'AIDA-bob', userName: 'Bob', path: '/', ...fact });
    given(user('bob'), user('rob'))
      .when(command('UpdateUser', { name: 'bob', newName: 'ROB' }))
      .thenRefuses('EntityAlreadyExists');
    given(user('bob'))
      .when(command('UpdateUser', { name: 'bob' }))
      .thenNothing();
  });
  it('of policies are taken whatever the path', () => {
    const create = {
      policyId: 'ANPA-2',
      policyArn: arn('x/P'),
      path: '/x/',
      description: null,
      document: '{}',
      tags: {},
    };
    given(policy('p')).when(command('CreatePolicy', { name: 'P', ...create })).thenRefuses('PolicyAlreadyExists'); // prettier-ignore
    given(policy('p'), { type: 'PolicyDeleted', policyArn: arn('p'), ...fact })
      .when(command('CreatePolicy', { name: 'P', ...create }))
      .then({ type: 'PolicyCreated', policyName: 'P', ...create, ...fact });
  });
});

describe('what is deleted', () => {
  const deleteBob = command('DeleteUser', { name: 'bob' });
  const deleted: IamEvent = { type: 'UserDeleted', userId: 'AIDA-bob', userName: 'bob', ...fact };
  it('must exist', () => {
    given().when(deleteBob).thenRefuses('EntityNotFound');
  });
  it.each<[string, IamEvent[]]>([
    ['an access key', [key(1)]],
    ['a group', [group('ops'), member]],
    ['an attached policy', [attached(AWS_POLICY)]],
    ['an inline policy', [{ type: 'InlinePolicyPut', policyName: 'p', document: '{}', sizeCharacters: 2, ...bob }]],
  ])('must not have %s', (_, events) => {
    given(user('bob'), ...events)
      .when(deleteBob)
      .thenRefuses('DeleteConflict');
  });
  it('may have had them', () => {
    given(
      user('bob'),
      ...[key(1), { type: 'AccessKeyDeleted', userId: 'AIDA-bob', accessKeyId: 'AKIA1', ...fact } as const],
      ...[group('ops'), member, { ...member, type: 'UserRemovedFromGroup' } as const],
      ...[attached(AWS_POLICY), { type: 'PolicyDetached', policyArn: AWS_POLICY, ...bob } as const],
    )
      .when(deleteBob)
      .then(deleted);
  });
  it('is no group with members, and no role in an instance profile', () => {
    given(user('bob'), group('ops'), member)
      .when(command('DeleteGroup', { name: 'ops' }))
      .thenRefuses('DeleteConflict');
    const profile: IamEvent[] = [
      { type: 'InstanceProfileCreated', instanceProfileId: 'AIPA', instanceProfileName: 'p', path: '/', tags: {}, ...fact }, // prettier-ignore
      { type: 'RoleAddedToInstanceProfile', instanceProfileId: 'AIPA', roleId: 'AROA-r', ...fact },
    ];
    given(role('r'), ...profile)
      .when(command('DeleteRole', { name: 'r' }))
      .thenRefuses('DeleteConflict');
    given(role('r'), ...profile)
      .when(command('DeleteInstanceProfile', { name: 'p' }))
      .thenRefuses('DeleteConflict');
    given(role('r'), role('s'), ...profile)
      .when(command('AddRoleToInstanceProfile', { name: 'p', roleName: 's' }))
      .thenRefuses('QuotaExceeded');
  });
  it('is no policy that is attached, bounds somebody, or has versions beside its default', () => {
    const deletePolicy = command('DeletePolicy', { policyArn: arn('p') });
    given(policy('p'), user('bob'), attached(arn('p')))
      .when(deletePolicy)
      .thenRefuses('DeleteConflict');
    given(policy('p'), user('bob', { permissionsBoundary: arn('p') })).when(deletePolicy).thenRefuses('DeleteConflict'); // prettier-ignore
    given(policy('p'), version('p', 2)).when(deletePolicy).thenRefuses('DeleteConflict');
    given(policy('p'), user('bob', { permissionsBoundary: arn('p') }), deleted)
      .when(deletePolicy)
      .then({ type: 'PolicyDeleted', policyArn: arn('p'), ...fact });
    given(policy('p'), user('bob', { permissionsBoundary: arn('p') }), { type: 'PermissionsBoundaryPut', policyArn: AWS_POLICY, ...bob }) // prettier-ignore
      .when(deletePolicy)
      .then({ type: 'PolicyDeleted', policyArn: arn('p'), ...fact });
  });
});

describe('versions of a policy', () => {
  it('are numbered on, also after deletions', () => {
    given(policy('p'), version('p', 2), { type: 'PolicyVersionDeleted', policyArn: arn('p'), versionId: 'v2', ...fact })
      .when(command('CreatePolicyVersion', { policyArn: arn('p'), document: '{}', setAsDefault: true }))
      .then(version('p', 3, true));
  });
  it('are five at most', () => {
    given(policy('p'), ...[2, 3, 4, 5].map((n) => version('p', n)))
      .when(command('CreatePolicyVersion', { policyArn: arn('p'), document: '{}', setAsDefault: false }))
      .thenRefuses('TooManyPolicyVersions');
  });
  it('are not deleted while they are the default', () => {
    const remove = (versionId: string) => command('DeletePolicyVersion', { policyArn: arn('p'), versionId });
    given(policy('p'), version('p', 2, true))
      .when(remove('v2'))
      .thenRefuses('DefaultVersionNotDeletable');
    given(policy('p')).when(remove('v7')).thenRefuses('PolicyVersionNotFound');
    given(policy('p'), version('p', 2, true))
      .when(remove('v1'))
      .then({ type: 'PolicyVersionDeleted', policyArn: arn('p'), versionId: 'v1', ...fact });
  });
  it('become the default once', () => {
    const set = command('SetDefaultPolicyVersion', { policyArn: arn('p'), versionId: 'v1' });
    given(policy('p')).when(set).thenNothing();
    given(policy('p'), version('p', 2, true))
      .when(set)
      .then({ type: 'DefaultPolicyVersionSet', policyArn: arn('p'), versionId: 'v1', ...fact });
  });
  it("of AWS's policies are AWS's", () => {
    given()
      .when(command('CreatePolicyVersion', { policyArn: AWS_POLICY, document: '{}', setAsDefault: true }))
      .thenRefuses('PolicyNotChangeable');
  });
});

describe('quotas', () => {
  const inline = (size: number, policyName = 'p') =>
    command('PutInlinePolicy', { entity, policyName, document: `"${'x'.repeat(size - 2)}"` });
  const put = (sizeCharacters: number, policyName: string): IamEvent => ({
    ...{ type: 'InlinePolicyPut', policyName, document: '', sizeCharacters, ...bob },
  });
  it('count inline policies together, white space apart, and a replaced one once', () => {
    given(user('bob')).when(inline(2049)).thenRefuses('InlinePoliciesTooLarge');
    given(user('bob'), put(1500, 'other')).when(inline(549)).thenRefuses('InlinePoliciesTooLarge');
    const wish = inline(2048);
    given(user('bob'), put(1500, 'p'))
      .when({ ...wish, document: `${wish.document}  \n\t ` })
      .then({ ...put(2048, 'p'), document: `${wish.document}  \n\t ` } as IamEvent);
  });
  it('allow two access keys a user', () => {
    const create = command('CreateAccessKey', { userName: 'bob', accessKeyId: 'AKIA3' });
    given(user('bob'), key(1), key(2)).when(create).thenRefuses('QuotaExceeded');
    given(user('bob'), key(1)).when(create).then(key(3));
  });
  it('allow ten attached policies, and attaching one again is none more', () => {
    const ten = Array.from({ length: 10 }, (_, i) => `p${String(i)}`);
    const history = [user('bob'), ...ten.map(policy), policy('more'), ...ten.map((name) => attached(arn(name)))];
    const attach = (name: string) => command('AttachPolicy', { entity, policyArn: arn(name) });
    given(...history)
      .when(attach('more'))
      .thenRefuses('QuotaExceeded');
    given(...history)
      .when(attach('p3'))
      .thenNothing();
  });
  it('allow ten groups a user', () => {
    const groups = Array.from({ length: 11 }, (_, i) => `g${String(i)}`);
    const joined = groups.slice(0, 10).map((name) => ({ ...member, groupId: `AGPA-${name}` }) as IamEvent);
    given(user('bob'), ...groups.map(group), ...joined)
      .when(command('AddUserToGroup', { userName: 'bob', groupName: 'g10' }))
      .thenRefuses('QuotaExceeded');
  });
  it('allow fifty tags', () => {
    const tags = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${String(i)}`, '']));
    given(user('bob', { tags }))
      .when(command('Tag', { kind: 'user', name: 'bob', tags: { more: '' } }))
      .thenRefuses('TooManyTags');
    given(user('bob', { tags }))
      .when(command('Tag', { kind: 'user', name: 'bob', tags: { K7: 'x' } }))
      .then({
        ...{ type: 'TagsChanged', kind: 'user', resourceId: 'AIDA-bob', ...fact },
        tags: Object.fromEntries([...Object.entries(tags).filter(([name]) => name !== 'k7'), ['K7', 'x']]),
      });
  });
  it('count tags of an instance profile as those of others', () => {
    const created = { type: 'InstanceProfileCreated', instanceProfileId: 'AIPA', instanceProfileName: 'p', path: '/' };
    given({ ...created, tags: { a: '1' }, ...fact } as IamEvent)
      .when(command('Untag', { kind: 'instance-profile', name: 'P', keys: ['A'] }))
      .then({ type: 'TagsChanged', kind: 'instance-profile', resourceId: 'AIPA', ...fact, tags: {} });
  });
  it('limit trust policies and managed policies', () => {
    const long = `"${'x'.repeat(6143)}"`;
    given(role('r'))
      .when(command('UpdateAssumeRolePolicy', { name: 'r', document: long, principalIds: {} }))
      .thenRefuses('QuotaExceeded');
    given(policy('p'))
      .when(command('CreatePolicyVersion', { policyArn: arn('p'), document: long, setAsDefault: false }))
      .thenRefuses('QuotaExceeded');
  });
  it('allow 5000 users', () => {
    given(...Array.from({ length: 5000 }, (_, i) => user(`u${String(i)}`)))
      .when(createBob)
      .thenRefuses('QuotaExceeded');
  });
});

describe('policies of somebody', () => {
  it('are attached only when they exist, here or at AWS', () => {
    const attach = (policyArn: string) => command('AttachPolicy', { entity, policyArn });
    given(user('bob'))
      .when(attach(arn('absent')))
      .thenRefuses('PolicyNotAttachable');
    given(user('bob')).when(attach('arn:aws:iam::aws:policy/Absent')).thenRefuses('PolicyNotAttachable');
    given(user('bob')).when(attach(AWS_POLICY)).then(attached(AWS_POLICY));
    given(user('bob'))
      .when(command('PutPermissionsBoundary', { entity, policyArn: arn('absent') }))
      .thenRefuses('PolicyNotAttachable');
  });
  it('are detached and deleted once', () => {
    given(user('bob'))
      .when(command('DetachPolicy', { entity, policyArn: AWS_POLICY }))
      .thenRefuses('PolicyNotAttached');
    given(user('bob'))
      .when(command('DeleteInlinePolicy', { entity, policyName: 'constructor' }))
      .thenRefuses('InlinePolicyNotFound');
    given(user('bob')).when(command('DeletePermissionsBoundary', { entity })).thenRefuses('BoundaryNotFound');
  });
});

describe('access keys', () => {
  const update = (isActive: boolean, userName = 'bob') =>
    command('UpdateAccessKey', { userName, accessKeyId: 'AKIA1', isActive });
  const at = { userId: 'AIDA-bob', accessKeyId: 'AKIA1', ...fact };
  it('are deactivated and activated once', () => {
    given(user('bob'), key(1)).when(update(true)).thenNothing();
    given(user('bob'), key(1))
      .when(update(false))
      .then({ type: 'AccessKeyDeactivated', ...at });
    given(user('bob'), key(1), { type: 'AccessKeyDeactivated', ...at })
      .when(update(true))
      .then({ type: 'AccessKeyActivated', ...at });
  });
  it("are nobody else's", () => {
    given(user('bob'), user('eve'), key(1)).when(update(false, 'eve')).thenRefuses('AccessKeyNotFound');
    given(user('bob'), user('eve'), key(1))
      .when(command('DeleteAccessKey', { userName: 'eve', accessKeyId: 'AKIA1' }))
      .thenRefuses('AccessKeyNotFound');
  });
});
