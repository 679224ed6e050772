import { fold } from '@holdfast/decider';
import { describe, expect, it } from 'vitest';
import samples from '../../test-vectors/events.json' with { type: 'json' };
import { iamDecider } from './iam.decider.ts';
import type { IamEvent } from './iam.events.ts';
import { nameKey } from './iam.state.ts';
import type { SessionIssued } from './session.decider.ts';

/** Every type there is; a new one does not compile until it is listed here, and fails until it has a sample. */
const TYPES: Record<(IamEvent | SessionIssued)['type'], true> = {
  AccessKeyActivated: true,
  AccessKeyCreated: true,
  AccessKeyDeactivated: true,
  AccessKeyDeleted: true,
  AccountAliasCreated: true,
  AccountAliasDeleted: true,
  AssumeRolePolicyUpdated: true,
  DefaultPolicyVersionSet: true,
  GroupCreated: true,
  GroupDeleted: true,
  GroupUpdated: true,
  InlinePolicyDeleted: true,
  InlinePolicyPut: true,
  InstanceProfileCreated: true,
  InstanceProfileDeleted: true,
  PermissionsBoundaryDeleted: true,
  PermissionsBoundaryPut: true,
  PolicyAttached: true,
  PolicyCreated: true,
  PolicyDeleted: true,
  PolicyDetached: true,
  PolicyVersionCreated: true,
  PolicyVersionDeleted: true,
  RoleAddedToInstanceProfile: true,
  RoleCreated: true,
  RoleDeleted: true,
  RoleRemovedFromInstanceProfile: true,
  RoleUpdated: true,
  SessionIssued: true,
  TagsChanged: true,
  UserAddedToGroup: true,
  UserCreated: true,
  UserDeleted: true,
  UserRemovedFromGroup: true,
  UserUpdated: true,
};

const events = samples.events.filter(({ stream }) => stream === 'iam').map(({ data }) => data as unknown as IamEvent);
const before = (type: IamEvent['type']) =>
  fold(
    iamDecider,
    events.slice(
      0,
      events.findIndex((event) => event.type === type),
    ),
    iamDecider.initialState,
  );

describe('stored events', () => {
  it('have a sample of every type', () => {
    expect([...new Set(samples.events.map(({ data }) => data.type))].sort()).toEqual(Object.keys(TYPES));
  });

  it('mean what they meant', () => {
    const state = before('UserRemovedFromGroup');
    const user = state.entities.get('AIDAEXAMPLEEXAMPLE234');
    expect(user).toMatchObject({
      ...{ name: 'Ada', path: '/eng/', boundary: null, attached: [], inline: {}, accessKeys: [] },
      ...{ related: ['AGPAEXAMPLEEXAMPLE234'], tags: { team: 'storage', stage: 'test' } },
    });
    expect(state.names.get(nameKey('group', 'OPS'))).toBe('AGPAEXAMPLEEXAMPLE234');
    expect(state.entities.get('AROAEXAMPLEEXAMPLE234')).toMatchObject({
      ...{ boundary: 'arn:aws:iam::111122223333:policy/ec2', maxSessionDurationSeconds: 7200, description: 'nightly' },
    });
    expect(state.policies.get('arn:aws:iam::111122223333:policy/ec2')).toMatchObject({
      ...{ versions: ['v2'], defaultVersion: 'v2', lastVersion: 2, attachments: 0, boundaries: 1 },
    });
    const end = fold(iamDecider, events, iamDecider.initialState);
    expect(end.counts).toEqual({ user: 0, group: 0, role: 0, 'instance-profile': 0 });
    expect([end.entities.size, end.names.size, end.policies.size, end.accessKeys.size]).toEqual([0, 0, 0, 0]);
  });

  it('hold no secret', () => {
    expect(JSON.stringify(samples)).not.toMatch(/secretAccessKey|sessionToken|wrapped/i);
  });
});
