import { describe, expect, it } from 'vitest';
import { atLeastAsStrict, type Grant, type GrantConstraints, matchGrant, type NewGrant } from './grants.ts';
import type { Principal } from './principal.ts';
import type { AccessRequest } from './request.ts';
import { admin, bob, EC2, eve, federated, grantTo, question, root, service } from './testing/fixtures.ts';

const match = (grant: Grant, request: Partial<AccessRequest> = {}) => matchGrant(grant, question({ request }).request);

describe('a grant names', () => {
  it.each<[string, Principal, string, string | null]>([
    ['a user', bob, bob.arn, 'direct'],
    ['another user', bob, eve.arn, null],
    ['a session', admin, admin.arn, 'direct'],
    ['the role of a session', admin, admin.roleArn, 'underlying'],
    ['a role of the same name in another path', admin, admin.roleArn.replace('/ops/', '/'), null],
    ['the account', bob, root.arn, 'account'],
    ['root', root, root.arn, 'direct'],
    ['an account by its digits, which is no principal of a grant', root, root.accountId, null],
    ['a federated user', federated, federated.arn, 'direct'],
    ['the user behind a federated user', federated, bob.arn, 'underlying'],
    ['a service', service, EC2, 'direct'],
    ['another service', service, 'ec2.us-east-1.amazonaws.com', null],
  ])('%s', (_, principal, grantee, reach) => {
    const expected = reach === null ? { failed: 'GranteePrincipal' } : { reach };
    expect(match(grantTo(grantee), { principal })).toEqual(expected);
  });
});

it('a grant allows only what can be granted, whatever it lists', () => {
  const grant = grantTo(bob.arn, { operations: ['PutKeyPolicy', 'decrypt'] });
  for (const action of ['kms:PutKeyPolicy', 'kms:Decrypt', 'ec2:Decrypt']) {
    expect(match(grant, { action })).toEqual({ failed: 'Operations' });
  }
  expect(match(grantTo(bob.arn), { action: 'KMS:DECRYPT' })).toEqual({ reach: 'direct' });
});

describe('constraints', () => {
  const subset = { EncryptionContextSubset: { a: '1' } };
  const equals = { EncryptionContextEquals: { a: '1', b: '2' } };
  it.each<[GrantConstraints | null, Record<string, string> | undefined, boolean]>([
    [null, undefined, true],
    [subset, { a: '1' }, true],
    [subset, { a: '1', c: '3' }, true],
    [subset, { a: '2' }, false],
    [subset, { A: '1' }, false],
    [subset, undefined, false],
    [equals, { b: '2', a: '1' }, true],
    [equals, { a: '1' }, false],
    [equals, { a: '1', b: '2', c: '3' }, false],
    [{ ...subset, ...equals }, { a: '1', b: '2' }, true],
    [{ EncryptionContextEquals: {} }, undefined, true],
    [{ EncryptionContextEquals: {} }, { a: '1' }, false],
    [{ EncryptionContextSubset: { toString: 'x' } }, {}, false],
  ])('%j of %j: %s', (constraints, encryptionContext, expected) => {
    const grant = grantTo(bob.arn, { constraints });
    expect('reach' in match(grant, { kms: { encryptionContext } })).toBe(expected);
    expect('reach' in match(grant, { kms: { encryptionContext }, action: 'kms:DescribeKey' })).toBe(true);
  });
});

describe('CreateGrant under a grant', () => {
  const parent = grantTo(bob.arn, {
    operations: ['CreateGrant', 'Decrypt'],
    constraints: { EncryptionContextSubset: { a: '1' } },
  });
  const create = (newGrant?: Partial<NewGrant>) =>
    match(parent, {
      action: 'kms:CreateGrant',
      kms: newGrant && {
        newGrant: {
          granteePrincipal: admin.arn,
          operations: ['Decrypt'],
          constraints: { EncryptionContextSubset: { a: '1' } },
          ...newGrant,
        },
      },
    });
  it('gives on what it has', () => {
    expect(create({})).toEqual({ reach: 'direct' });
    expect(create({ operations: ['Decrypt', 'CreateGrant'] })).toEqual({ reach: 'direct' });
    expect(create({ constraints: { EncryptionContextEquals: { a: '1', b: '2' } } })).toEqual({ reach: 'direct' });
  });
  it('gives nothing else', () => {
    expect(create({ operations: ['Decrypt', 'Encrypt'] })).toEqual({ failed: 'ChildOperations' });
    expect(create({ constraints: null })).toEqual({ failed: 'ChildConstraints' });
    expect(create({ constraints: { EncryptionContextEquals: { b: '2' } } })).toEqual({ failed: 'ChildConstraints' });
    expect(create()).toEqual({ failed: 'ChildOperations' });
  });
  it('holds a child of equal pairs to the same pairs', () => {
    const exact = { EncryptionContextEquals: { a: '1' } };
    expect(atLeastAsStrict(exact, exact)).toBe(true);
    expect(atLeastAsStrict({ EncryptionContextEquals: { a: '1', b: '2' } }, exact)).toBe(false);
    expect(atLeastAsStrict({ EncryptionContextSubset: { a: '1' } }, exact)).toBe(false);
    expect(atLeastAsStrict(null, null)).toBe(true);
    expect(atLeastAsStrict(null, exact)).toBe(false);
  });
});
