import type { AccountId, Region } from '@holdfast/contracts';
import { expect, it } from 'vitest';
import { rbinTargets } from './rbin-targets.ts';

const caller = { accountId: '111122223333' as AccountId, region: 'eu-central-1' as Region };
const facts = {
  rule: (ruleId: string) =>
    Promise.resolve(ruleId === 'aBcDeFgHiJk' ? { resourceType: 'EBS_SNAPSHOT', tags: { team: 'a' } } : null),
};
const target = async (operation: string, input: object) =>
  (await rbinTargets(operation, input as never, caller, facts))[0];

it('asks for a new rule with its type and tags', async () => {
  const input = { ResourceType: 'EBS_SNAPSHOT', Tags: [{ Key: 'k', Value: 'v' }] };
  expect(await target('CreateRule', input)).toMatchObject({
    action: 'rbin:CreateRule',
    resource: 'arn:aws:rbin:eu-central-1:111122223333:rule/*',
    context: { 'aws:RequestTag/k': 'v', 'aws:TagKeys': ['k'], 'rbin:Request/ResourceType': 'EBS_SNAPSHOT' },
  });
});

it('asks for a rule by its id or ARN, with what it has', async () => {
  const resource = 'arn:aws:rbin:eu-central-1:111122223333:rule/aBcDeFgHiJk';
  const context = { 'aws:ResourceTag/team': 'a', 'rbin:Attribute/ResourceType': 'EBS_SNAPSHOT' };
  expect(await target('DeleteRule', { Identifier: 'aBcDeFgHiJk' })).toMatchObject({ resource, context });
  expect(await target('UntagResource', { ResourceArn: resource, TagKeys: ['team'] })).toMatchObject({
    resource,
    context: { ...context, 'aws:TagKeys': ['team'] },
  });
});

it('asks for one that is not there all the same', async () => {
  expect(await target('GetRule', { Identifier: 'none4567890' })).toMatchObject({
    resource: 'arn:aws:rbin:eu-central-1:111122223333:rule/none4567890',
  });
});
