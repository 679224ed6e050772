import { accountId, ebsServicePrincipal, instancePrincipal, type Principal, region } from '@holdfast/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rootOf } from '../testing/caller.ts';
import { type AccessRequest, type ActiveGrant, authorize, mayRetire } from './authorize.ts';
import { leadPair, leadPairsOf } from './grant-search.ts';
import type { GrantConstraints, GrantOperation } from './grant.events.ts';
import { keyArnOf } from './names.ts';

const OWN = accountId('111122223333');
const OTHER = accountId('444455556666');
const place = { accountId: OWN, region: region('eu-central-1') };
const key = (keyManager: 'CUSTOMER' | 'AWS') => ({ ...place, arn: keyArnOf(place, 'k'), keyManager });
const CUSTOMER = key('CUSTOMER');
const MANAGED = key('AWS');
const EC2 = 'ec2.eu-central-1.amazonaws.com';

const root = rootOf(OWN);
const foreignRoot = rootOf(OTHER);
const user: Principal = { type: 'User', arn: `arn:aws:iam::${OWN}:user/bob`, accountId: OWN, principalId: 'AIDAB' };
const role: Principal = {
  type: 'AssumedRole',
  arn: `arn:aws:sts::${OWN}:assumed-role/admin/s`,
  accountId: OWN,
  principalId: 'AROAX:s',
};
const host = instancePrincipal(OWN, 'i-0123456789abcdef0');
const ebs = ebsServicePrincipal(place.region, OWN);

const ask = (request: Partial<AccessRequest>, grants: ActiveGrant[] = []) =>
  authorize({ action: 'Decrypt', principal: root, viaService: undefined, key: CUSTOMER, ...request }, grants);

const grantTo = (
  principal: Principal | string,
  operations: GrantOperation[],
  constraints: GrantConstraints | null = null,
): ActiveGrant => ({
  grantId: 'g',
  granteePrincipal: typeof principal === 'string' ? principal : principal.arn,
  operations,
  constraints,
});

describe('policies', () => {
  const cryptographic = [
    'Encrypt',
    'Decrypt',
    'ReEncryptFrom',
    'ReEncryptTo',
    'GenerateDataKey',
    'GenerateDataKeyWithoutPlaintext',
  ];
  const management = ['DisableKey', 'EnableKey', 'ScheduleKeyDeletion', 'CancelKeyDeletion', 'TagResource', 'UntagResource', 'CreateAlias', 'UpdateAlias', 'DeleteAlias', 'UpdateKeyDescription']; // prettier-ignore
  const metadata = ['GetKeyPolicy', 'GetKeyRotationStatus', 'ListGrants', 'ListKeyPolicies', 'ListResourceTags', 'ListAliases', 'RevokeGrant']; // prettier-ignore
  const throughService = [...cryptographic, 'CreateGrant', 'DescribeKey'];
  const all = [...throughService, ...management, ...metadata];

  // principal, key, via EC2 → what is allowed; everything else of `all` is not.
  it.each<[string, Principal, typeof CUSTOMER, string | undefined, string[]]>([
    ["the account's root, its own key", root, CUSTOMER, undefined, all],
    ["the account's root, its own key, through EC2", root, CUSTOMER, EC2, all],
    ['a user without identity policies', user, CUSTOMER, undefined, []],
    ['a role session without identity policies', role, CUSTOMER, undefined, []],
    ["another account's root", foreignRoot, CUSTOMER, undefined, []],
    ["another account's root, through EC2", foreignRoot, CUSTOMER, EC2, []],
    ['EBS itself', ebs, CUSTOMER, undefined, []],
    ["an instance's host", host, CUSTOMER, undefined, []],
    ["the account's root, aws/ebs", root, MANAGED, undefined, ['DescribeKey', ...metadata]],
    ["the account's root, aws/ebs, through EC2", root, MANAGED, EC2, [...throughService, ...metadata]],
    ['a user, aws/ebs', user, MANAGED, undefined, []],
    ['a user, aws/ebs, through EC2', user, MANAGED, EC2, throughService],
    ["aws/ebs, through another Region's EC2", user, MANAGED, 'ec2.us-east-1.amazonaws.com', []],
    ['aws/ebs, through another service', user, MANAGED, 'rds.eu-central-1.amazonaws.com', []],
    ["another account's root, aws/ebs, through EC2", foreignRoot, MANAGED, EC2, []],
    ['EBS itself, aws/ebs, through EC2', ebs, MANAGED, EC2, []],
    ["an instance's host, aws/ebs", host, MANAGED, EC2, []],
  ])('%s', (_, principal, protectedKey, viaService, allowed) => {
    const granted = all.filter((action) => ask({ action, principal, key: protectedKey, viaService }).allowed);
    expect(granted.sort()).toEqual([...allowed].sort());
  });

  it('actions without a key are for root', () => {
    for (const action of ['CreateKey', 'ListKeys', 'ListAliases']) {
      expect(ask({ action, key: null })).toEqual({ allowed: true, grantId: null });
      for (const principal of [user, role, host, ebs])
        expect(ask({ action, principal, key: null }).allowed).toBe(false);
    }
    expect(ask({ action: 'CreateKey', principal: user, key: null })).toEqual({
      allowed: false,
      message: `User: ${user.arn} is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action`,
    });
  });

  it.each([
    [user, CUSTOMER, 'identity-based'],
    [user, MANAGED, 'resource-based'],
    [foreignRoot, CUSTOMER, 'resource-based'],
    [host, CUSTOMER, 'resource-based'],
    [ebs, CUSTOMER, 'resource-based'],
  ])('a refusal names the principal and the kind of policy that is missing (%#)', (principal, protectedKey, kind) => {
    expect(ask({ principal, key: protectedKey })).toEqual({
      allowed: false,
      message: `User: ${principal.arn} is not authorized to perform: kms:Decrypt on resource: ${protectedKey.arn} because no ${kind} policy allows the kms:Decrypt action`,
    });
  });
});

describe('grants', () => {
  it.each([host, ebs, user, foreignRoot])('let the grantee do what they list, and nothing else (%#)', (principal) => {
    const grants = [grantTo(principal, ['Decrypt', 'DescribeKey'])];
    expect(ask({ principal }, grants)).toEqual({ allowed: true, grantId: 'g' });
    expect(ask({ principal, action: 'DescribeKey' }, grants).allowed).toBe(true);
    for (const action of ['Encrypt', 'CreateGrant', 'DisableKey', 'RevokeGrant', 'ListGrants']) {
      expect(ask({ principal, action }, grants).allowed).toBe(false);
    }
  });

  it('of others help nobody', () => {
    const grants = [grantTo(instancePrincipal(OWN, 'i-other'), ['Decrypt']), grantTo(root, ['Decrypt'])];
    expect(ask({ principal: host }, grants).allowed).toBe(false);
    expect(ask({ principal: foreignRoot }, grants).allowed).toBe(false);
    expect(ask({ principal: ebs }, [grantTo('ec2.us-east-1.amazonaws.com', ['Decrypt'])]).allowed).toBe(false);
  });

  it('to a role serve its sessions, to a session only that one', () => {
    expect(ask({ principal: role }, [grantTo(`arn:aws:iam::${OWN}:role/admin`, ['Decrypt'])]).allowed).toBe(true);
    expect(ask({ principal: role }, [grantTo(`arn:aws:iam::${OWN}:role/other`, ['Decrypt'])]).allowed).toBe(false);
    expect(ask({ principal: role }, [grantTo(role.arn.replace(/s$/, 't'), ['Decrypt'])]).allowed).toBe(false);
  });

  it('on a managed key serve the service', () => {
    expect(ask({ principal: ebs, key: MANAGED }, [grantTo(ebs, ['Decrypt'])]).allowed).toBe(true);
  });

  const pairs = { 'aws:ebs:id': 'vol-1' };
  it.each<[GrantConstraints, Record<string, string> | undefined, boolean]>([
    [{ EncryptionContextSubset: pairs }, pairs, true],
    [{ EncryptionContextSubset: pairs }, { ...pairs, more: 'm' }, true],
    [{ EncryptionContextSubset: pairs }, { 'aws:ebs:id': 'vol-2' }, false],
    [{ EncryptionContextSubset: pairs }, { 'AWS:ebs:id': 'vol-1' }, false],
    [{ EncryptionContextSubset: pairs }, {}, false],
    [{ EncryptionContextSubset: pairs }, undefined, false],
    [{ EncryptionContextEquals: pairs }, pairs, true],
    [{ EncryptionContextEquals: pairs }, { ...pairs, more: 'm' }, false],
    [{ EncryptionContextEquals: pairs }, undefined, false],
    [{ EncryptionContextEquals: {} }, {}, true],
    [{ EncryptionContextEquals: {} }, pairs, false],
    [{ EncryptionContextSubset: { toString: 'x' } }, {}, false],
    [{ EncryptionContextSubset: { a: 'b' }, EncryptionContextEquals: pairs }, pairs, false],
  ])('constrained to %j, used with %j: %s', (constraints, encryptionContext, allowed) => {
    expect(ask({ principal: host, encryptionContext }, [grantTo(host, ['Decrypt'], constraints)]).allowed).toBe(
      allowed,
    );
  });

  it('a pair named __proto__ is a pair like any other', () => {
    const odd = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const grants = [grantTo(host, ['Decrypt'], { EncryptionContextSubset: odd })];
    expect(ask({ principal: host, encryptionContext: {} }, grants).allowed).toBe(false);
    expect(ask({ principal: host, encryptionContext: odd }, grants).allowed).toBe(true);
  });

  it('constraints do not bind DescribeKey', () => {
    const grants = [grantTo(host, ['DescribeKey'], { EncryptionContextEquals: pairs })];
    expect(ask({ principal: host, action: 'DescribeKey' }, grants).allowed).toBe(true);
  });

  describe('that allow CreateGrant', () => {
    const parent = grantTo(host, ['CreateGrant', 'Decrypt'], { EncryptionContextSubset: pairs });
    it.each<[GrantOperation[], GrantConstraints | null, boolean]>([
      [['Decrypt'], { EncryptionContextSubset: pairs }, true],
      [['Decrypt', 'CreateGrant'], { EncryptionContextSubset: { ...pairs, b: 'c' } }, true],
      [['Decrypt'], { EncryptionContextEquals: pairs }, true],
      [['Decrypt'], { EncryptionContextEquals: { b: 'c' } }, false],
      [['Decrypt'], { EncryptionContextSubset: { b: 'c' } }, false],
      [['Decrypt'], null, false],
      [['Decrypt', 'Encrypt'], { EncryptionContextSubset: pairs }, false],
    ])('pass on %j under %j: %s', (operations, constraints, allowed) => {
      const newGrant = { operations, constraints };
      expect(ask({ action: 'CreateGrant', principal: host, newGrant }, [parent]).allowed).toBe(allowed);
    });
    it('and exact ones only as they are', () => {
      const exact = grantTo(host, ['CreateGrant', 'Decrypt'], { EncryptionContextEquals: pairs });
      const may = (constraints: GrantConstraints) =>
        ask({ action: 'CreateGrant', principal: host, newGrant: { operations: ['Decrypt'], constraints } }, [exact])
          .allowed;
      expect(may({ EncryptionContextEquals: pairs })).toBe(true);
      expect(may({ EncryptionContextSubset: pairs })).toBe(false);
      expect(may({ EncryptionContextEquals: { ...pairs, b: 'c' } })).toBe(false);
    });
    it('one grant must cover it all', () => {
      const newGrant = { operations: ['Decrypt', 'Encrypt'] as GrantOperation[], constraints: null };
      const two = [grantTo(host, ['CreateGrant', 'Decrypt']), grantTo(host, ['CreateGrant', 'Encrypt'])];
      expect(ask({ action: 'CreateGrant', principal: host, newGrant }, two).allowed).toBe(false);
    });
  });

  it('that hold are always among those that the search by lead pair finds', () => {
    const contexts = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'));
    const constraint = fc.oneof(
      fc.constant(null),
      contexts.map((EncryptionContextSubset) => ({ EncryptionContextSubset })),
      contexts.map((EncryptionContextEquals) => ({ EncryptionContextEquals })),
      fc.record({ EncryptionContextSubset: contexts, EncryptionContextEquals: contexts }),
    );
    fc.assert(
      fc.property(constraint, contexts, (constraints, encryptionContext) => {
        const holds = ask({ principal: host, encryptionContext }, [grantTo(host, ['Decrypt'], constraints)]).allowed;
        if (holds) expect(leadPairsOf(encryptionContext)).toContain(leadPair(constraints));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('retiring', () => {
  const grant = { ...grantTo(foreignRoot, ['Decrypt']), retiringPrincipal: EC2, issuingAccount: OWN };
  it.each<[string, Principal, object, boolean]>([
    ['the retiring principal', ebs, {}, true],
    ["the issuing account's root", root, {}, true],
    ['a user of the issuing account, without policies', user, {}, false],
    ['the grantee', foreignRoot, {}, false],
    ['the grantee who may', foreignRoot, { operations: ['Decrypt', 'RetireGrant'] }, true],
    ['anybody else', host, { retiringPrincipal: null }, false],
  ])('%s', (_, principal, extra, allowed) => {
    expect(mayRetire(principal, { ...grant, ...extra })).toBe(allowed);
  });
});
