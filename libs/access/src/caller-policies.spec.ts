import type { Principal, PrincipalPoliciesAnswer, RequestContext } from '@holdfast/contracts';
import { evaluate } from '@holdfast/iam';
import type { Requests } from '@holdfast/messaging';
import { testContext } from '@holdfast/messaging/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { CallerPoliciesCache } from './caller-policies.ts';

const allow = (action: string) => JSON.stringify({ Statement: { Effect: 'Allow', Action: action, Resource: '*' } });
const policiesThatAllow = (version: string, action: string): PrincipalPoliciesAnswer => ({
  version,
  notModified: false,
  policies: {
    identityPolicies: [{ sourceId: 'user_ada_p', sourceType: 'user', document: allow(action) }],
    principalTags: {},
    userId: 'AIDA1',
  },
});

let now: number;
let answers: PrincipalPoliciesAnswer[];
let asked: { ifNoneMatch?: string }[];
let cache: CallerPoliciesCache;
beforeEach(() => {
  now = 0;
  answers = [];
  asked = [];
  const call = (_service: string, _action: string, input: { ifNoneMatch?: string }) => {
    asked.push(input);
    return Promise.resolve(answers.shift());
  };
  cache = new CallerPoliciesCache({ call } as unknown as Requests, () => now);
});

const context = (): RequestContext => {
  const root = testContext();
  const ada: Principal = { type: 'User', arn: `arn:aws:iam::${root.accountId}:user/ada`, accountId: root.accountId, principalId: 'AIDA1', userName: 'ada' }; // prettier-ignore
  return { ...root, principal: ada };
};
const may = async (action: string): Promise<boolean> => {
  const policies = await cache.of(context());
  if (policies === null) return false;
  const request = { principal: policies.principal, action, resource: '*', region: 'eu-central-1', at: new Date(0) };
  return evaluate({ request, ...policies, resourceAccount: null }).allowed;
};

describe('the policies of a caller', () => {
  it('are asked for once a second', async () => {
    answers = [policiesThatAllow('1', 'ec2:*')];
    expect(await may('ec2:CreateVolume')).toBe(true);
    now = 999;
    expect(await may('ec2:CreateVolume')).toBe(true);
    expect(asked).toHaveLength(1);
  });

  it('are asked for by version after that, and kept when unchanged', async () => {
    answers = [policiesThatAllow('1', 'ec2:*'), { version: '1', notModified: true }];
    await may('ec2:CreateVolume');
    now = 1000;
    expect(await may('ec2:CreateVolume')).toBe(true);
    expect(asked[1]?.ifNoneMatch).toBe('1');
  });

  it('change within a second', async () => {
    answers = [policiesThatAllow('1', 'ec2:*'), policiesThatAllow('2', 'ec2:Describe*')];
    expect(await may('ec2:CreateVolume')).toBe(true);
    now = 1000;
    expect(await may('ec2:CreateVolume')).toBe(false);
    expect(await may('ec2:DescribeVolumes')).toBe(true);
  });

  it('are nothing when the caller is no more, and asked for again each time', async () => {
    answers = [policiesThatAllow('1', 'ec2:*'), null, null];
    await may('ec2:CreateVolume');
    now = 1000;
    expect(await may('ec2:CreateVolume')).toBe(false);
    expect(await may('ec2:CreateVolume')).toBe(false);
    expect(asked).toHaveLength(3);
  });

  it('are not asked for when the caller is the root user', async () => {
    expect(await cache.of(testContext())).toMatchObject({ principal: { kind: 'root' }, identityPolicies: [] });
    expect(asked).toEqual([]);
  });
});
