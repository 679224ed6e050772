import { describe, expect, it } from 'vitest';
import type { Reason } from './decision.ts';
import { type AccessQuestion, evaluate, evaluateEach } from './evaluate.ts';
import { ebsKeyPolicy } from './key-policies.ts';
import { admitPolicy } from './compile-policy.ts';
import {
  admin, allow, bob, deny, EC2, eve, federated, foreignRole, foreignRoot, grantTo, identity, KEY, keyPolicy, OTHER, OWN,
  policy, question, REGION, root, service, to, VOLUME,
} from './testing/fixtures.ts'; // prettier-ignore

const by = (side: Extract<Reason, { kind: 'allowed' }>['by']): Reason => ({ kind: 'allowed', by: side });
const no = (missing: Extract<Reason, { kind: 'implicit-deny' }>['missing']): Reason => ({
  kind: 'implicit-deny',
  missing,
});
const denied = (side: Extract<Reason, { kind: 'explicit-deny' }>['in']): Reason => ({
  kind: 'explicit-deny',
  in: side,
});

type Row = [situation: string, question: Parameters<typeof question>[0], reason: Reason];

const rows = (table: Row[]) =>
  it.each(table)('%s', (_, asked, reason) => {
    const decision = evaluate(question(asked));
    expect(decision.reason).toEqual(reason);
    expect(decision.allowed).toBe(reason.kind === 'allowed');
    expect(decision.explicitDeny).toBe(reason.kind === 'explicit-deny');
    if (reason.kind === 'explicit-deny') expect(decision.deciding).toMatchObject({ effect: 'Deny', side: reason.in });
    if (reason.kind === 'allowed') expect(decision.trail).toContain(decision.deciding);
  });

const all = [identity(allow())];
const limit = policy('boundary', allow({ Action: 'ec2:*' }));
const denying = policy('boundary', allow(), deny({ Action: ['ec2:D*', 'kms:D*'] }));
const sessionLimit = [policy('session', allow({ Action: 'ec2:*' }))];
const ec2 = { action: 'ec2:DeleteVolume', resource: VOLUME };
const any = policy('resource', allow({ Principal: '*' }));
const toBob = policy('resource', to(bob.arn));
const toRole = policy('resource', to(admin.roleArn));
const toSession = policy('resource', to(admin.arn));
const toAccount = policy('resource', to(OWN));
const asAdmin = { ...ec2, principal: admin };
const asGuest = { ...ec2, principal: federated };
const nothing = policy('boundary', allow({ Action: 'iam:*' }));
const noSession = [policy('session', allow({ Action: 'iam:*' }))];

describe('the general order of evaluation (1: a deny anywhere, 3: resource policy, 4: identity policy, 5: nothing)', () => {
  rows([
    ['1: an identity policy denies', { request: ec2, identityPolicies: [...all, identity(deny())] }, denied('identity')],
    ['1: a resource policy denies', { request: ec2, identityPolicies: all, resourcePolicy: policy('resource', deny({ Principal: '*' })) }, denied('resource')],
    ['1: a boundary denies', { request: ec2, identityPolicies: all, permissionsBoundary: denying }, denied('boundary')],
    ['1: a session policy denies', { request: ec2, identityPolicies: all, sessionPolicies: [policy('session', allow(), deny())] }, denied('session')],
    ['1: a deny wins over a resource policy that names the principal', { request: ec2, identityPolicies: [identity(deny())], resourcePolicy: toBob }, denied('identity')],
    ['3: a resource policy names the user, no identity policy', { request: ec2, resourcePolicy: toBob }, by('resource')],
    ['3: … whatever the boundary leaves out', { request: ec2, resourcePolicy: toBob, permissionsBoundary: nothing }, by('resource')],
    ['3: it names the session', { request: asAdmin, resourcePolicy: toSession, permissionsBoundary: nothing, sessionPolicies: noSession }, by('resource')],
    ['3: it names the role', { request: asAdmin, resourcePolicy: toRole }, by('resource')],
    ['3: … still limited by the boundary', { request: asAdmin, resourcePolicy: toRole, permissionsBoundary: nothing }, no('boundary')],
    ['3: … still limited by session policies', { request: asAdmin, resourcePolicy: toRole, sessionPolicies: noSession }, no('session')],
    ['3: it names everybody', { request: asAdmin, resourcePolicy: any, sessionPolicies: noSession }, by('resource')],
    ['3: it names the federated user', { request: asGuest, resourcePolicy: policy('resource', to(federated.arn)), sessionPolicies: [] }, by('resource')],
    ['3: it names the user behind a federated user, limited by the session', { request: asGuest, resourcePolicy: toBob, sessionPolicies: [] }, no('session')],
    ['3: it names the account only', { request: ec2, resourcePolicy: toAccount }, no('identity')],
    ['4: an identity policy allows', { request: ec2, identityPolicies: all }, by('identity')],
    ['4: … although the resource policy names others', { request: ec2, identityPolicies: all, resourcePolicy: toRole }, by('identity')],
    ['4: within a boundary', { request: ec2, identityPolicies: all, permissionsBoundary: limit }, by('identity')],
    ['4: outside the boundary', { request: ec2, identityPolicies: all, permissionsBoundary: nothing }, no('boundary')],
    ['4: within a session policy', { request: asAdmin, identityPolicies: all, sessionPolicies: sessionLimit }, by('identity')],
    ['4: outside the session policies', { request: asAdmin, identityPolicies: all, sessionPolicies: noSession }, no('session')],
    ['4: a session limited to nothing', { request: asGuest, identityPolicies: all, sessionPolicies: [] }, no('session')],
    ['4: boundary before session', { request: asAdmin, identityPolicies: all, permissionsBoundary: nothing, sessionPolicies: noSession }, no('boundary')],
    ['5: nothing allows', { request: ec2 }, no('identity')],
    ['5: a boundary gives nothing by itself', { request: ec2, permissionsBoundary: limit }, no('identity')],
    ['5: nor does a session policy', { request: ec2, sessionPolicies: sessionLimit }, no('identity')],
    ['cross-account: both sides allow', { request: { ...ec2, principal: eve }, identityPolicies: all, resourcePolicy: policy('resource', to(OTHER)) }, by('identity')],
    ['cross-account: only the resource policy', { request: { ...ec2, principal: eve }, resourcePolicy: policy('resource', to(eve.arn)) }, no('identity')],
    ['cross-account: only the identity policy', { request: { ...ec2, principal: eve }, identityPolicies: all, resourcePolicy: toAccount }, no('resource')],
    ['cross-account: neither', { request: { ...ec2, principal: eve } }, no('resource')],
    ['cross-account: outside the boundary', { request: { ...ec2, principal: eve }, identityPolicies: all, permissionsBoundary: nothing, resourcePolicy: any }, no('boundary')],
    ['root of the account', { request: { ...ec2, principal: root } }, by('root-user')],
    ['root, denied by a resource policy', { request: { ...ec2, principal: root }, resourcePolicy: policy('resource', to(OWN, { Effect: 'Deny' })) }, denied('resource')],
    ['root of another account', { request: { ...ec2, principal: foreignRoot } }, no('resource')],
    ['a resource of nobody', { request: { ...ec2, principal: eve }, identityPolicies: all, resourceAccount: null }, by('identity')],
  ]); // prettier-ignore
});

const delegating = keyPolicy(to(`arn:aws:iam::${OWN}:root`, { Action: 'kms:*' }));
const asEve = { principal: eve };
const keyed = (principal: AccessQuestion['request']['principal'], action = 'kms:Decrypt') => ({ principal, action });
const managed = admitPolicy(ebsKeyPolicy(OWN, REGION), 'key');

describe('KMS', () => {
  rows([
    ['key policy names the user, no identity policy', { resourcePolicy: keyPolicy(to(bob.arn)) }, by('resource')],
    ['key policy names the role', { request: keyed(admin), resourcePolicy: keyPolicy(to(admin.roleArn)) }, by('resource')],
    ['key policy names the session', { request: keyed(admin), resourcePolicy: keyPolicy(to(admin.arn)) }, by('resource')],
    ['key policy names the user by unique id', { resourcePolicy: keyPolicy(to(bob.id)) }, by('resource')],
    ['key policy names the role by unique id', { request: keyed(admin), resourcePolicy: keyPolicy(to('AROAEXAMPLEADMIN0001')) }, by('resource')],
    ['key policy names the account, identity policy allows', { identityPolicies: all, resourcePolicy: delegating }, by('identity')],
    ['key policy names the account as 12 digits', { identityPolicies: all, resourcePolicy: keyPolicy(to(OWN)) }, by('identity')],
    ['key policy names the account, no identity policy', { resourcePolicy: delegating }, no('identity')],
    ['key policy names the account for another action', { identityPolicies: all, resourcePolicy: keyPolicy(to(OWN, { Action: 'kms:Get*' })) }, no('resource')],
    ['key policy does not mention account or principal, identity policy allows', { identityPolicies: all, resourcePolicy: keyPolicy(to(admin.arn)) }, no('resource')],
    ['no key policy at hand, identity policy allows', { identityPolicies: all }, no('resource')],
    ['key policy allows an external account, its identity policy the key', { request: asEve, identityPolicies: [identity(allow({ Resource: KEY }))], resourcePolicy: keyPolicy(to(OTHER)) }, by('identity')],
    ['key policy allows an external principal, its identity policy the key', { request: asEve, identityPolicies: [identity(allow({ Resource: KEY }))], resourcePolicy: keyPolicy(to(eve.arn)) }, by('resource')],
    ['external principal named, no identity policy', { request: asEve, resourcePolicy: keyPolicy(to(eve.arn)) }, no('identity')],
    ['external principal, identity policy names another key', { request: asEve, identityPolicies: [identity(allow({ Resource: `${KEY}0` }))], resourcePolicy: keyPolicy(to(eve.arn)) }, no('identity')],
    ['external root, its account named', { request: keyed(foreignRoot), resourcePolicy: keyPolicy(to(OTHER)) }, by('resource')],
    ['grant names the caller', { resourcePolicy: delegating, grants: [grantTo(bob.arn)] }, by('grant')],
    ['grant names the caller, another operation', { resourcePolicy: delegating, grants: [grantTo(bob.arn, { operations: ['Encrypt'] })] }, no('identity')],
    ['grant names another', { resourcePolicy: keyPolicy(to(admin.arn)), grants: [grantTo(eve.arn)] }, no('resource')],
    ['grant names the role, session is limited', { request: keyed(admin), resourcePolicy: delegating, grants: [grantTo(admin.roleArn)], sessionPolicies: noSession }, no('session')],
    ['grant names the session, boundary leaves it out', { request: keyed(admin), resourcePolicy: delegating, grants: [grantTo(admin.arn)], permissionsBoundary: nothing }, by('grant')],
    ['grant names the account, no identity policy', { resourcePolicy: keyPolicy(to(admin.arn)), grants: [grantTo(root.arn)] }, no('identity')],
    ['grant names the account, identity policy allows', { identityPolicies: all, resourcePolicy: keyPolicy(to(admin.arn)), grants: [grantTo(root.arn)] }, by('identity')],
    ['grant to an external principal, no identity policy', { request: asEve, resourcePolicy: delegating, grants: [grantTo(eve.arn)] }, no('identity')],
    ['grant to an external principal with an identity policy', { request: asEve, identityPolicies: all, resourcePolicy: delegating, grants: [grantTo(eve.arn)] }, by('grant')],
    ['grant to a service', { request: { principal: service }, resourcePolicy: delegating, grants: [grantTo(EC2)] }, by('grant')],
    ['service without a grant', { request: { principal: service }, resourcePolicy: delegating }, no('resource')],
    ['service named by the key policy', { request: { principal: service }, resourcePolicy: keyPolicy(allow({ Principal: { Service: EC2 } })) }, by('resource')],
    ['key policy denies, grant', { resourcePolicy: keyPolicy(to(OWN), to(bob.arn, { Effect: 'Deny' })), grants: [grantTo(bob.arn)] }, denied('resource')],
    ['identity policy denies, grant', { identityPolicies: [identity(deny())], resourcePolicy: delegating, grants: [grantTo(bob.arn)] }, denied('identity')],
    ['condition of the key policy fails', { resourcePolicy: keyPolicy(to(bob.arn, { Condition: { StringEquals: { 'kms:ViaService': EC2 } } })) }, no('resource')],
    ['condition of a denying statement fails', { resourcePolicy: keyPolicy(to(bob.arn), to(bob.arn, { Effect: 'Deny', Condition: { Bool: { 'aws:ViaAWSService': true } } })) }, by('resource')],
    ['statement names another key', { resourcePolicy: keyPolicy(to(bob.arn, { Resource: `${KEY}0` })) }, no('resource')],
    ['statement without Resource', { resourcePolicy: keyPolicy({ Effect: 'Allow', Action: 'kms:*', Principal: '*' }) }, no('resource')],
    ['root, its account named', { request: keyed(root), resourcePolicy: delegating }, by('resource')],
    ['root, its account not named', { request: keyed(root), resourcePolicy: keyPolicy(to(bob.arn)) }, no('resource')],
    ['identity policy on the alias does not reach the key', { identityPolicies: [identity(allow({ Resource: `arn:aws:kms:*:${OWN}:alias/*` }))], resourcePolicy: delegating }, no('identity')],
    ['operation without a key, identity policy', { request: { action: 'kms:CreateKey', resource: '*' }, identityPolicies: all, resourceAccount: null }, by('identity')],
    ['operation without a key, no policy', { request: { action: 'kms:ListKeys', resource: '*' }, resourceAccount: null }, no('identity')],
    ['operation without a key, root', { request: { principal: root, action: 'kms:CreateKey', resource: '*' }, resourceAccount: null }, by('root-user')],
    ['alias of CreateAlias: identity policy alone', { request: { action: 'kms:CreateAlias', resource: `arn:aws:kms:${REGION}:${OWN}:alias/a` }, identityPolicies: all }, by('identity')],
    ['ReEncryptFrom is its own action', { request: { action: 'kms:ReEncryptFrom' }, resourcePolicy: keyPolicy(to(bob.arn, { Action: 'kms:ReEncryptTo' })) }, no('resource')],
    ['an operation of the own account only', { request: keyed(eve, 'kms:DisableKey'), identityPolicies: all, resourcePolicy: keyPolicy(to(OTHER)) }, no('resource')],
    ['aws/ebs through EC2 needs no identity policy', { request: { viaService: EC2 }, resourcePolicy: managed }, by('resource')],
    ['aws/ebs directly', { identityPolicies: all, resourcePolicy: managed }, no('resource')],
    ['aws/ebs through EC2 elsewhere', { request: { viaService: 'ec2.us-east-1.amazonaws.com' }, identityPolicies: all, resourcePolicy: managed }, no('resource')],
    ['aws/ebs through EC2 from another account', { request: { principal: foreignRole, viaService: EC2 }, identityPolicies: all, resourcePolicy: managed }, no('resource')],
    ['aws/ebs metadata, identity policy', { request: keyed(bob, 'kms:GetKeyPolicy'), identityPolicies: all, resourcePolicy: managed }, by('identity')],
    ['aws/ebs metadata, no identity policy', { request: keyed(bob, 'kms:ListGrants'), resourcePolicy: managed }, no('identity')],
    ['aws/ebs cannot be managed', { request: keyed(root, 'kms:PutKeyPolicy'), resourcePolicy: managed }, no('resource')],
  ]); // prettier-ignore
});

describe('ids that are no unique ids', () => {
  const posing = { ...admin, id: `${OWN}:session` };
  rows([
    ['of a session do not pass for the account', { request: keyed(posing), resourcePolicy: delegating }, no('identity')],
    ['of a user do not pass for another', { request: keyed({ ...bob, id: eve.arn }), resourcePolicy: keyPolicy(to(eve.arn)) }, no('resource')],
  ]); // prettier-ignore
});

describe('a simulation of identity-based policies', () => {
  rows([
    ['asks no key policy', { identityPolicies: all, resourcePolicy: 'not-asked' }, by('identity')],
    ['asks no other account', { request: asEve, identityPolicies: all, resourcePolicy: 'not-asked' }, by('identity')],
    ['needs an identity policy', { resourcePolicy: 'not-asked', grants: [grantTo(bob.arn)] }, no('identity')],
    ['heeds a deny', { identityPolicies: [...all, identity(deny())], resourcePolicy: 'not-asked' }, denied('identity')],
  ]); // prettier-ignore
});

const role = `arn:aws:iam::${OWN}:role/target`;
const assume = { action: 'sts:AssumeRole', resource: role };
const trust = (...principals: string[]) =>
  policy('trust', { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: principals } });

describe('AssumeRole', () => {
  rows([
    ['trust names the user', { request: assume, resourcePolicy: trust(bob.arn) }, by('resource')],
    ['trust names the account, identity policy allows', { request: assume, resourcePolicy: trust(OWN), identityPolicies: all }, by('identity')],
    ['trust names the account, no identity policy', { request: assume, resourcePolicy: trust(OWN) }, no('identity')],
    ['no trust', { request: assume, identityPolicies: all, resourcePolicy: trust(admin.roleArn) }, no('resource')],
    ['no trust policy at hand', { request: assume, identityPolicies: all }, no('resource')],
    ['cross-account, both', { request: { ...assume, principal: eve }, identityPolicies: all, resourcePolicy: trust(OTHER) }, by('identity')],
    ['cross-account, trust only', { request: { ...assume, principal: eve }, resourcePolicy: trust(eve.arn) }, no('identity')],
    ['external id', { request: { ...assume, context: { 'sts:ExternalId': 'x' } }, resourcePolicy: policy('trust', { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: bob.arn }, Condition: { StringEquals: { 'sts:externalid': 'y' } } }) }, no('resource')],
  ]); // prettier-ignore
});

describe('NotPrincipal', () => {
  const spare = (...aws: string[]) =>
    keyPolicy(to(OWN), { Effect: 'Deny', Action: 'kms:*', Resource: '*', NotPrincipal: { AWS: aws } });
  const others = (...aws: string[]) => keyPolicy({ ...allow(), NotPrincipal: { AWS: aws } });
  const yes = { identityPolicies: all };
  rows([
    ['Deny spares a user listed with the account', { ...yes, resourcePolicy: spare(OWN, bob.arn) }, by('identity')],
    ['Deny does not spare a user listed without the account', { ...yes, resourcePolicy: spare(bob.arn) }, denied('resource')],
    ['Deny does not spare a user whose account only is listed', { ...yes, resourcePolicy: spare(OWN) }, denied('resource')],
    ['Deny spares a user listed by its unique id', { ...yes, resourcePolicy: spare(OWN, bob.id) }, by('identity')],
    ["Deny does not spare a user by another one's unique id", { ...yes, resourcePolicy: spare(OWN, eve.id) }, denied('resource')],
    ['Deny spares root', { request: keyed(root), resourcePolicy: spare(OWN) }, by('resource')],
    ['Deny spares a session listed with role and account', { ...yes, request: keyed(admin), resourcePolicy: spare(OWN, admin.roleArn, admin.arn) }, by('identity')],
    ['Deny does not spare a session by its role alone', { ...yes, request: keyed(admin), resourcePolicy: spare(OWN, admin.roleArn) }, denied('resource')],
    ['Allow reaches whom it does not list', { resourcePolicy: others(admin.roleArn, OTHER) }, by('resource')],
    ['Allow does not reach one listed by account', { resourcePolicy: others(OWN) }, no('resource')],
    ['Allow does not reach a session of a listed role', { request: keyed(admin), resourcePolicy: others(admin.roleArn) }, no('resource')],
  ]); // prettier-ignore
  it('refuses no form of everybody', () => {
    for (const principal of ['*', { AWS: '*' }, { AWS: [bob.arn, '*'] }]) {
      expect(evaluate(question({ resourcePolicy: keyPolicy(allow({ Principal: principal })) })).allowed).toBe(true);
    }
  });
});

describe('RetireGrant', () => {
  const retire = (more: Parameters<typeof grantTo>[1], principal: AccessQuestion['request']['principal'] = bob) => ({
    request: { principal, action: 'kms:RetireGrant' },
    grants: [grantTo(admin.arn, more)],
    resourcePolicy: delegating,
  });
  rows([
    ['retiring principal', retire({ retiringPrincipal: bob.arn }), by('grant')],
    ['retiring principal of another account needs no more', retire({ retiringPrincipal: eve.arn }, eve), by('grant')],
    ['grantee with RetireGrant', retire({ granteePrincipal: bob.arn, operations: ['RetireGrant'] }), by('grant')],
    ['grantee without', retire({ granteePrincipal: bob.arn }), no('resource')],
    ['constraints do not bind it', retire({ granteePrincipal: bob.arn, operations: ['RetireGrant'], constraints: { EncryptionContextEquals: { a: 'b' } } }), by('grant')],
    ['issuing account, identity policy', { ...retire({ issuingAccount: OWN }), identityPolicies: all }, by('identity')],
    ['issuing account, no identity policy', retire({ issuingAccount: OWN }), no('identity')],
    ['root of the issuing account', retire({ issuingAccount: OWN }, root), by('grant')],
    ['an Allow of the key policy has no effect', { ...retire({}), resourcePolicy: keyPolicy(to(bob.arn)) }, no('resource')],
    ['a Deny of the key policy has', { ...retire({ retiringPrincipal: bob.arn }), resourcePolicy: keyPolicy(to(bob.arn, { Effect: 'Deny' })) }, denied('resource')],
  ]); // prettier-ignore
});

describe('a call on several resources', () => {
  const instance = `arn:aws:ec2:${REGION}:${OWN}:instance/i-1`;
  const attach = (...resources: string[]) =>
    evaluateEach(
      question({
        request: { action: 'ec2:AttachVolume', resource: '*' },
        identityPolicies: [identity(allow({ Resource: resources }))],
      }),
      [{ resource: VOLUME }, { resource: instance }],
    );
  it('is allowed when each is', () => {
    expect(attach(VOLUME, instance).allowed).toBe(true);
  });
  it('is denied on the first that is not', () => {
    const { allowed, decision } = attach(VOLUME);
    expect([allowed, decision.request.resource]).toEqual([false, instance]);
  });
  it('asks each with its own action and context', () => {
    const asked = question({
      request: { action: 'ec2:CreateVolume' },
      identityPolicies: [
        identity(
          allow({ Action: 'ec2:CreateVolume', Condition: { Bool: { 'ec2:Encrypted': 'true' } } }),
          allow({ Action: 'ec2:CreateTags', Condition: { StringEquals: { 'ec2:CreateAction': 'CreateVolume' } } }),
        ),
      ],
    });
    const create = { resource: VOLUME, context: { 'ec2:Encrypted': true } };
    const tag = { resource: VOLUME, action: 'ec2:CreateTags', context: { 'ec2:CreateAction': 'CreateVolume' } };
    expect(evaluateEach(asked, [create, tag]).allowed).toBe(true);
    expect(evaluateEach(asked, [create, { ...tag, context: {} }]).decision.request.action).toBe('ec2:CreateTags');
  });
  it('is none without resources', () => {
    expect(() => evaluateEach(question(), [])).toThrow(RangeError);
  });
});

describe('the trail', () => {
  it('has every statement and grant in order, with what failed', () => {
    const decision = evaluate(
      question({
        identityPolicies: [
          identity(allow({ Action: 'ec2:*' })),
          identity(allow({ Sid: 'x', Condition: { StringLike: { 'aws:username': 'al*' } } })),
        ],
        resourcePolicy: keyPolicy(to(admin.arn), to(OWN, { Resource: VOLUME }), to(OWN)),
        grants: [grantTo(eve.arn), grantTo(bob.arn, { operations: ['Encrypt'] })],
      }),
    );
    expect(
      decision.trail.map((entry) => [entry.source, entry.matched, 'failed' in entry ? entry.failed : null]),
    ).toEqual([
      ['statement', false, { element: 'Principal' }],
      ['statement', false, { element: 'Resource' }],
      ['statement', true, null],
      ['grant', false, 'GranteePrincipal'],
      ['grant', false, 'Operations'],
      ['statement', false, { element: 'Action' }],
      [
        'statement',
        false,
        {
          element: 'Condition',
          operator: 'StringLike',
          key: 'aws:username',
          wanted: ['al*'],
          given: ['bob'],
          fault: 'mismatch',
        },
      ],
    ]);
    expect(decision.trail[6]).toMatchObject({
      side: 'identity',
      policyIndex: 1,
      statementIndex: 0,
      sid: 'x',
      effect: 'Allow',
    });
    expect(decision.deciding).toBeNull();
  });
});
