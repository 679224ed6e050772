import type { DecisionRecord } from '@holdfast/iam';
import { describe, expect, it } from 'vitest';
import { explanationLines } from '../commands/explain.ts';
import type { TimelineEvent } from '../timeline.ts';
import { explanationOf } from './explanation.ts';
import type { Sources } from './sources.ts';

const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const VOLUME = 'vol-0123456789abcdef0';
const ADA = 'arn:aws:iam::111122223333:user/ada';

const event = (service: string, streamId: string, type: string, data: object, second: number): TimelineEvent => ({
  ...{ service, streamId, version: second, type, data: { type, ...data }, principal: ADA, requestId: 'r1' },
  time: new Date(Date.UTC(2026, 0, 1, 12, 0, second)),
});

const refused: DecisionRecord = {
  ...{ decisionId: 'd1', requestId: 'r1', at: '2026-01-01T12:00:03.000Z', service: 'kms', operation: 'CreateGrant' },
  ...{ accountId: '111122223333', region: 'eu-central-1', principalArn: ADA, allowed: false },
  viaService: 'ec2.eu-central-1.amazonaws.com',
  refusal: { code: 'AccessDeniedException', message: 'no' },
  resources: [KEY, VOLUME],
  steps: [
    {
      ...{ step: 'policies', action: 'kms:CreateGrant', resource: KEY, allowed: false, deciding: null, omitted: 0 },
      reason: { kind: 'implicit-deny', missing: 'resource' },
      trail: [
        {
          ...{ source: 'statement', side: 'resource', policyIndex: 0, policyName: null, statementIndex: 0, sid: 'aws' },
          ...{ effect: 'Allow', matched: false, reach: null },
          failed: {
            ...{ element: 'Condition', operator: 'Bool', key: 'kms:GrantIsForAWSResource', fault: 'mismatch' },
            ...{ wanted: ['true'], given: ['false'] },
          },
        },
        { source: 'grant', grantId: 'g1', matched: false, reach: null, failed: 'Operations' },
      ],
      change: { changes: [], nearest: null, sentence: 'To allow kms:CreateGrant: add it.' },
    },
  ],
};

const sourcesOf = (events: readonly TimelineEvent[], decisions: readonly DecisionRecord[] = []): Sources => ({
  decisions: (of) =>
    Promise.resolve(
      decisions.filter((record) =>
        'requestId' in of ? record.requestId === of.requestId : record.resources.includes(of.resource),
      ),
    ),
  stream: (service, streamId) =>
    Promise.resolve(events.filter((found) => found.service === service && found.streamId === streamId)),
  eventsOf: (requestId) => Promise.resolve(events.filter((found) => found.requestId === requestId)),
});

const created = event('volumes', `volume-${VOLUME}`, 'VolumeCreated', { volumeId: VOLUME }, 1);
const attachFailed = event('volumes', `volume-${VOLUME}`, 'AttachmentFailed', { instanceId: 'i-1', cause: 'no' }, 4);

describe('explaining a volume', () => {
  it('tells what failed, what was looked at, what would change it, and what its key had been through', async () => {
    const keyId = KEY.split('/')[1] ?? '';
    const policyPut = event('kms', `key-${keyId}`, 'KeyPolicyPut', {}, 2);
    const later = event('kms', `key-${keyId}`, 'KeyDisabled', {}, 9);
    const sources = sourcesOf([created, attachFailed, policyPut, later], [refused]);
    const explanation = await explanationOf(sources, VOLUME);
    expect(explanation.keyChanges.map(({ type }) => type)).toEqual(['KeyPolicyPut']);
    expect(explanationLines(explanation).slice(0, 14)).toEqual([
      `${VOLUME}: attaching it to i-1 was refused: no`,
      '',
      '2026-01-01T12:00:04.000Z  attaching it to i-1 was refused',
      '  cause: no',
      `  asked for by ${ADA}, request r1`,
      '',
      'kms CreateGrant refused  2026-01-01T12:00:03.000Z  111122223333 eu-central-1',
      `  by ${ADA} through ec2.eu-central-1.amazonaws.com`,
      '  answered AccessDeniedException: no',
      `  kms:CreateGrant on ${KEY}`,
      '     - key policy, statement "aws" (Allow): does not match: condition Bool kms:GrantIsForAWSResource true (the request has false)',
      '     - grant g1: does not match: Operations',
      '    denied: no key policy allows it',
      '    smallest change: To allow kms:CreateGrant: add it.',
    ]);
  });

  it('puts what failed last first, of several failures', async () => {
    const again = event('volumes', `volume-${VOLUME}`, 'AttachmentFailed', { instanceId: 'i-2', cause: 'later' }, 8);
    const { summary, failures } = await explanationOf(sourcesOf([created, attachFailed, again]), VOLUME);
    expect(summary).toBe('attaching it to i-2 was refused: later');
    expect(failures.map(({ cause }) => cause)).toEqual(['no', 'later']);
  });

  it('names the kind of policy that denied it', async () => {
    const [step] = refused.steps as [Extract<DecisionRecord['steps'][number], { step: 'policies' }>];
    const denied = { ...refused, steps: [{ ...step, reason: { kind: 'explicit-deny', in: 'identity' } as const }] };
    expect(explanationLines(await explanationOf(sourcesOf([created], [denied]), VOLUME))).toContain(
      '    denied by an identity-based policy',
    );
  });

  it('says so when nothing went wrong', async () => {
    expect((await explanationOf(sourcesOf([created]), VOLUME)).summary).toBe(
      'nothing was refused, and nothing of it failed',
    );
  });

  it('knows a volume that was only ever refused, and none that never was', async () => {
    expect((await explanationOf(sourcesOf([], [refused]), VOLUME)).summary).toBe(
      'kms CreateGrant was refused (AccessDeniedException)',
    );
    await expect(explanationOf(sourcesOf([]), VOLUME)).rejects.toThrow(`there was never a volume ${VOLUME}`);
  });
});

describe('explaining an instance', () => {
  it('tells of the volumes that its launch was to have', async () => {
    const instance = 'i-0123456789abcdef0';
    const launch = event('instances', `instance-${instance}`, 'LaunchVolumeCreated', { volumeId: VOLUME }, 1);
    const reason = { code: 'c', message: 'Client.InternalError: Client error on launch' };
    const failed = event('instances', `instance-${instance}`, 'InstanceLaunchFailed', { reason, cause: 'c1' }, 5);
    const vanished = event('volumes', `volume-${VOLUME}`, 'VolumeCreationFailed', { cause: 'c1' }, 3);
    const { failures, decisions } = await explanationOf(sourcesOf([launch, failed, vanished], [refused]), instance);
    expect(failures.map(({ what }) => what)).toEqual([
      'the launch failed, and the instance was terminated (Client.InternalError: Client error on launch)',
      'the volume could not be made, and vanished',
    ]);
    expect(decisions).toEqual([refused]);
  });
});

describe('explaining a request', () => {
  it('shows all that was decided, and what came of it', async () => {
    const allowed = { ...refused, decisionId: 'd0', at: '2026-01-01T12:00:02.000Z', allowed: true, refusal: null };
    const explanation = await explanationOf(sourcesOf([created, attachFailed], [allowed, refused]), 'r1');
    expect(explanation.summary).toBe('kms CreateGrant was refused (AccessDeniedException)');
    expect(explanation.decisions).toHaveLength(2);
    expect(explanation.failures).toHaveLength(1);
  });

  it('is allowed without a policy for the root user, of which events tell', async () => {
    expect((await explanationOf(sourcesOf([created]), 'r1')).summary).toContain('allowed without asking a policy');
    await expect(explanationOf(sourcesOf([]), 'r1')).rejects.toThrow('nothing is kept of r1');
  });
});
