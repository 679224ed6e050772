import fc from 'fast-check';
import { loadPolicy } from '../compile-policy.ts';
import type { AccessQuestion } from '../evaluate.ts';
import type { Grant } from '../grants.ts';
import { admin, AT, bob, document, EC2, eve, federated, foreignRole, foreignRoot, KEY, OTHER, OWN, REGION, root, service, type StatementJson, VOLUME } from './fixtures.ts'; // prettier-ignore

// Questions over a small world, so that policies, grants and requests often meet.

/** A question as its policy documents, which a property can edit before they are compiled. */
export interface Documents {
  readonly request: AccessQuestion['request'];
  readonly resourceAccount: string | null;
  readonly kind: 'key' | 'resource';
  readonly identity: readonly StatementJson[][];
  readonly resource: StatementJson[] | null;
  readonly boundary: StatementJson[] | null;
  readonly session: readonly StatementJson[][] | null;
  readonly grants: readonly Grant[];
}

export const compiled = (documents: Documents): AccessQuestion => {
  const { request, resourceAccount, kind, identity, resource, boundary, session, grants } = documents;
  return {
    request,
    resourceAccount,
    identityPolicies: identity.map((statements) => loadPolicy(document(...statements), 'identity')),
    resourcePolicy: resource && loadPolicy(document(...resource), kind),
    permissionsBoundary: boundary && loadPolicy(document(...boundary), 'boundary'),
    sessionPolicies: session?.map((statements) => loadPolicy(document(...statements), 'session')),
    grants,
  };
};

const principals = [OWN, OTHER, bob.arn, admin.arn, admin.roleArn, eve.arn, federated.arn, '*'];

const condition = fc.constantFrom<unknown>(
  {},
  { StringEquals: { 'kms:ViaService': EC2 } },
  { StringNotEquals: { 'aws:PrincipalTag/Team': '${aws:username}' } },
  { 'ForAllValues:StringLike': { 'kms:EncryptionContextKeys': 'a*' } },
  { Bool: { 'aws:ViaAWSService': 'false' }, Null: { 'aws:username': 'false' } },
  { Odd: { 'aws:username': 'x' } },
);

const core = fc.record({
  Effect: fc.constantFrom('Allow', 'Allow', 'Allow', 'Deny'),
  Action: fc.constantFrom('*', 'kms:*', 'kms:Decrypt', ['ec2:*', 'kms:D*'], 'ec2:DeleteVolume', 'kms:CreateGrant'),
  Resource: fc.constantFrom('*', KEY, VOLUME, `arn:aws:*:*:${OWN}:*`, 'arn:aws:ec2:*:*:volume/${aws:username}'),
  Condition: fc.oneof({ arbitrary: fc.constant({}), weight: 3 }, { arbitrary: condition, weight: 1 }),
});

const negatable = (statement: StatementJson, element: string, not: boolean): StatementJson => {
  if (!not) return statement;
  const { [element]: value, ...rest } = statement;
  return { ...rest, [`Not${element}`]: value };
};

const seldom = fc.integer({ min: 0, max: 9 }).map((n) => n === 0);

export const identityStatement: fc.Arbitrary<StatementJson> = fc
  .tuple(core, seldom, seldom)
  .map(([statement, a, r]) => negatable(negatable(statement, 'Action', a), 'Resource', r));

export const resourceStatement: fc.Arbitrary<StatementJson> = fc
  .tuple(identityStatement, fc.uniqueArray(fc.constantFrom(...principals), { minLength: 1, maxLength: 3 }), seldom)
  .map(([statement, AWS, not]) => negatable({ ...statement, Principal: { AWS } }, 'Principal', not));

export const statements = (statement: fc.Arbitrary<StatementJson>) =>
  fc.array(statement, { minLength: 1, maxLength: 3 });
const policies = fc.array(statements(identityStatement), { maxLength: 3 });

export const grant: fc.Arbitrary<Grant> = fc.record({
  grantId: fc.constantFrom('g1', 'g2'),
  granteePrincipal: fc.constantFrom(bob.arn, admin.arn, admin.roleArn, eve.arn, root.arn, EC2),
  operations: fc.subarray(['Decrypt', 'CreateGrant', 'RetireGrant']),
  constraints: fc.constantFrom(null, { EncryptionContextSubset: { a: '1' } }),
  issuingAccount: fc.constantFrom(OWN, OTHER),
  retiringPrincipal: fc.constantFrom(null, bob.arn),
});

const target = fc.constantFrom(
  { action: 'kms:Decrypt', resource: KEY, account: OWN, kind: 'key' as const },
  { action: 'kms:CreateGrant', resource: KEY, account: OWN, kind: 'key' as const },
  { action: 'kms:DisableKey', resource: KEY, account: OWN, kind: 'key' as const },
  { action: 'kms:RetireGrant', resource: KEY, account: OWN, kind: 'key' as const },
  { action: 'ec2:DeleteVolume', resource: VOLUME, account: OWN, kind: 'resource' as const },
  { action: 'kms:ListKeys', resource: '*', account: null, kind: 'key' as const },
);

export const documents: fc.Arbitrary<Documents> = fc
  .record({
    principal: fc.constantFrom(bob, root, admin, federated, eve, foreignRole, foreignRoot, service),
    target,
    viaService: fc.constantFrom(undefined, EC2),
    encryptionContext: fc.constantFrom<Record<string, string>>({}, { a: '1' }, { b: '2' }),
    identity: policies,
    resource: fc.option(statements(resourceStatement)),
    boundary: fc.option(statements(identityStatement)),
    session: fc.option(policies),
    grants: fc.array(grant, { maxLength: 2 }),
  })
  .map(({ principal, target: { action, resource: arn, account, kind }, viaService, encryptionContext, ...rest }) => ({
    ...rest,
    kind,
    resource: arn === '*' ? null : rest.resource,
    resourceAccount: account,
    request: { principal, action, resource: arn, region: REGION, at: AT, viaService, kms: { encryptionContext } },
  }));
