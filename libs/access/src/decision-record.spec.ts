import { accountId, region, type RequestContext } from '@holdfast/contracts';
import { evaluateEach, loadPolicy, principalOf } from '@holdfast/iam';
import { describe, expect, it } from 'vitest';
import { decisionRecord, ruleRecord } from './decision-record.ts';

const ADA = { arn: 'arn:aws:iam::111122223333:user/ada', accountId: accountId('111122223333'), principalId: 'AIDA' };
const context = {
  ...{ requestId: 'r', accountId: ADA.accountId, region: region('eu-central-1'), sourceIp: '', userAgent: '' },
  ...{ principal: { type: 'User', ...ADA }, deadlineMs: 0 },
} as const satisfies RequestContext;
const at = new Date('2026-07-01T12:00:00Z');
const volume = (n: number) => `arn:aws:ec2:eu-central-1:111122223333:volume/vol-${String(n).padStart(17, '0')}`;

const joint = (allowed: readonly string[], asked: readonly string[]) =>
  evaluateEach(
    {
      request: { principal: principalOf(context.principal), action: 'ec2:DeleteVolume', resource: '', region: 'eu-central-1', at }, // prettier-ignore
      identityPolicies: [
        loadPolicy(
          JSON.stringify({ Statement: { Effect: 'Allow', Action: 'ec2:DeleteVolume', Resource: allowed } }),
          'identity',
        ),
      ],
      resourceAccount: '111122223333',
    },
    asked.map((resource) => ({ resource })),
  );
const call = { service: 'ec2', operation: 'DeleteVolume', input: {}, context, at };

describe('what is kept of a decision on a call', () => {
  it('ends with the resource that is denied', () => {
    const record = decisionRecord(call, joint([volume(1)], [volume(1), volume(2), volume(3)]), 'No');
    expect(record).toMatchObject({
      ...{ requestId: 'r', at: '2026-07-01T12:00:00.000Z', operation: 'DeleteVolume', allowed: false },
      refusal: { code: 'No', message: expect.stringContaining('no identity-based policy allows') as string },
      steps: [
        { resource: volume(1), allowed: true },
        { resource: volume(2), allowed: false, change: { changes: [{ kind: 'add-statement', side: 'identity' }] } },
      ],
    });
    expect(record.resources).toContain('vol-00000000000000002');
  });

  it('keeps its size when a call is on many resources', () => {
    const many = Array.from({ length: 500 }, (_, n) => volume(n));
    const record = decisionRecord(call, joint(many, many), null);
    expect(record).toMatchObject({ allowed: true, refusal: null });
    expect(record.steps).toHaveLength(16);
  });
});

it('keeps a refusal that no policy was asked about, with what the caller is not told', () => {
  const refusal = { code: 'AccessDenied', message: 'not authorized' };
  expect(ruleRecord({ ...call, input: { VolumeId: volume(1) } }, refusal, 'there is none')).toMatchObject({
    ...{ allowed: false, refusal, resources: ['vol-00000000000000001'] },
    steps: [{ step: 'rule', code: 'AccessDenied', message: 'there is none' }],
  });
  const error = Object.assign(new Error('not authorized'), { code: 'AccessDenied' });
  const sent = JSON.parse(JSON.stringify(ruleRecord(call, error, 'there is none'))) as { refusal: unknown };
  expect(sent.refusal).toEqual(refusal);
});
