import { type AccountId, instant, type KeyArn } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { grantDecider } from './grant.decider.ts';
import type { GrantEvent, GrantTerms } from './grant.events.ts';

const given = specification(grantDecider);
const at = instant(new Date('2026-03-01T00:00:00Z'));
const [grantId, keyId] = ['ab'.repeat(32), 'key'];
const terms: GrantTerms = {
  keyId,
  keyArn: 'arn:aws:kms:eu-central-1:111122223333:key/key' as KeyArn,
  issuingAccount: '111122223333' as AccountId,
  name: '',
  granteePrincipal: 'arn:aws:iam::444455556666:root',
  retiringPrincipal: null,
  operations: ['Decrypt'],
  constraints: null,
};
const created: GrantEvent = { type: 'GrantCreated', grantId, parentGrantId: null, ...terms, at };
const { keyArn } = terms;
const retire = { type: 'RetireGrant', grantId, keyArn, retiredBy: 'someone', at } as const;
const revoke = { type: 'RevokeGrant', grantId, keyArn, at } as const;
const retired: GrantEvent = { type: 'GrantRetired', grantId, keyId, retiredBy: 'someone', at };
const revoked: GrantEvent = { type: 'GrantRevoked', grantId, keyId, at };

describe('a grant', () => {
  it('is created with its terms, and never changes', () => {
    given().when({ type: 'CreateGrant', grantId, parentGrantId: null, terms, at }).then(created);
    given(created).when({ type: 'CreateGrant', grantId, parentGrantId: null, terms, at }).thenNothing();
  });
  it('is retired or revoked', () => {
    given(created).when(retire).then(retired);
    given(created).when(revoke).then(revoked);
  });
  it('ends once', () => {
    for (const end of [retired, revoked]) {
      given(created, end).when(retire).thenRefuses('GrantNotFound');
      given(created, end).when(revoke).thenRefuses('GrantNotFound');
    }
  });
  it('is not found when it never was, or belongs to another key', () => {
    given().when(retire).thenRefuses('GrantNotFound');
    given(created)
      .when({ ...revoke, keyArn: keyArn.replace('key/key', 'key/other') as KeyArn })
      .thenRefuses('GrantNotFound');
  });
  it('is not found from another Region, where a multi-Region key of the same id has grants of its own', () => {
    const elsewhere = keyArn.replace('eu-central-1', 'eu-west-1') as KeyArn;
    for (const end of [retire, revoke]) {
      given(created)
        .when({ ...end, keyArn: elsewhere })
        .thenRefuses('GrantNotFound');
    }
  });
});
