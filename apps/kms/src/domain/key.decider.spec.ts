import { type AccountId, instant, type Region } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, expect, it } from 'vitest';
import { type KeyCommand, keyDecider } from './key.decider.ts';
import type { KeyEvent } from './key.events.ts';

const given = specification(keyDecider);
const at = instant(new Date('2026-03-01T00:00:00Z'));
const later = instant(new Date('2026-03-09T00:00:00Z'));
const keyId = '1234abcd-12ab-34cd-56ef-1234567890ab';
const place = { accountId: '111122223333' as AccountId, region: 'eu-central-1' as Region };
const fixed = { keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'ENCRYPT_DECRYPT', origin: 'AWS_KMS' } as const;
const { region } = place;
const materialId = 'ab'.repeat(32);
const plain = { multiRegion: false, publicKey: null, policy: null, principalIds: {} } as const;
const tag = (TagKey: string, TagValue = '') => ({ TagKey, TagValue });

const create = (extra: Partial<Extract<KeyCommand, { type: 'CreateKey' }>> = {}): KeyCommand => ({
  type: 'CreateKey',
  keyId,
  ...place,
  ...fixed,
  ...plain,
  keyManager: 'CUSTOMER',
  description: '',
  tags: [],
  materialId,
  at,
  ...extra,
});
const created: KeyEvent = {
  type: 'KeyCreated',
  keyId,
  ...place,
  ...fixed,
  ...plain,
  keyManager: 'CUSTOMER',
  description: '',
  tags: [tag('a', '1')],
  materialId,
  at,
};
const command = (
  type: 'EnableKey' | 'DisableKey' | 'CancelKeyDeletion' | 'CompleteKeyDeletion',
  when = at,
): KeyCommand => ({ type, keyId, region, at: when });
const schedule: KeyCommand = { type: 'ScheduleKeyDeletion', keyId, region, pendingWindowInDays: 7, at };
const enabled: KeyEvent = { type: 'KeyEnabled', keyId, region, at };
const disabled: KeyEvent = { type: 'KeyDisabled', keyId, region, at };
const deletionDate = instant(new Date('2026-03-08T00:00:00Z'));
const scheduled: KeyEvent = { type: 'KeyDeletionScheduled', keyId, region, deletionDate, pendingWindowInDays: 7, at };
const cancelled: KeyEvent = { type: 'KeyDeletionCancelled', keyId, region, at };
const deleted: KeyEvent = { type: 'KeyDeleted', keyId, region, at: later };

describe('creating a key', () => {
  it('records what it is', () =>
    given()
      .when(create({ tags: [tag('a', '1')] }))
      .then(created));
  it('is refused for an id that is taken', () => given(created).when(create()).thenRefuses('KeyAlreadyExists'));
  it('is refused for an id that was deleted', () =>
    given(created, scheduled, deleted).when(create()).thenRefuses('KeyAlreadyExists'));
  it('repeats without effect for a managed key, which several may need at once', () =>
    given({ ...created, keyManager: 'AWS' })
      .when(create({ keyManager: 'AWS' }))
      .thenNothing());
  it('is refused with tags that break the rules', () => {
    given()
      .when(create({ tags: [tag('a'), tag('a')] }))
      .thenRefuses('DuplicateTagKeys');
    given()
      .when(create({ tags: [tag('aWs:a')] }))
      .thenRefuses('ReservedTagKey');
    given()
      .when(create({ tags: Array.from({ length: 51 }, (_, n) => tag(String(n))) }))
      .thenRefuses('TooManyTags');
  });
});

describe('enabling and disabling', () => {
  it('disables an enabled key', () => given(created).when(command('DisableKey')).then(disabled));
  it('enables a disabled key', () => given(created, disabled).when(command('EnableKey')).then(enabled));
  it('repeats without effect', () => {
    given(created).when(command('EnableKey')).thenNothing();
    given(created, disabled).when(command('DisableKey')).thenNothing();
    given(created, disabled, enabled, disabled).when(command('DisableKey')).thenNothing();
  });
  it('is refused while the key is to be deleted', () => {
    given(created, scheduled).when(command('EnableKey')).thenRefuses('KeyPendingDeletion');
    given(created, disabled, scheduled).when(command('DisableKey')).thenRefuses('KeyPendingDeletion');
  });
});

describe('deletion', () => {
  it('is scheduled by the number of days', () => given(created).when(schedule).then(scheduled));
  it('is scheduled for a disabled key', () => given(created, disabled).when(schedule).then(scheduled));
  it('is not scheduled twice', () => given(created, scheduled).when(schedule).thenRefuses('KeyPendingDeletion'));
  it('is cancelled to Disabled', () => {
    given(created, scheduled).when(command('CancelKeyDeletion')).then(cancelled);
    given(created, scheduled, cancelled).when(command('EnableKey')).then(enabled);
    given(created, scheduled, cancelled).when(command('DisableKey')).thenNothing();
  });
  it('is cancelled only when scheduled', () => {
    given(created).when(command('CancelKeyDeletion')).thenRefuses('KeyNotPendingDeletion');
    given(created, disabled).when(command('CancelKeyDeletion')).thenRefuses('KeyNotPendingDeletion');
  });
  it('happens at its date and not before', () => {
    given(created, scheduled).when(command('CompleteKeyDeletion')).thenNothing();
    given(created, scheduled)
      .when(command('CompleteKeyDeletion', deletionDate))
      .then({ ...deleted, at: deletionDate });
    given(created, scheduled).when(command('CompleteKeyDeletion', later)).then(deleted);
  });
  it('does not happen when it was cancelled, or has happened', () => {
    given(created, scheduled, cancelled).when(command('CompleteKeyDeletion', later)).thenNothing();
    given(created, scheduled, deleted).when(command('CompleteKeyDeletion', later)).thenNothing();
    given().when(command('CompleteKeyDeletion', later)).thenNothing();
  });
  it('ends everything', () => {
    given(created, scheduled, deleted).when(command('EnableKey')).thenRefuses('KeyNotFound');
    given(created, scheduled, deleted).when(schedule).thenRefuses('KeyNotFound');
  });
});

describe('tags and description', () => {
  it('adds and replaces, and records only what changes', () => {
    const tags = [tag('a', '1'), tag('b', '2')];
    given(created)
      .when({ type: 'TagResource', keyId, region, tags, at })
      .then({ type: 'KeyTagged', keyId, region, tags: [tag('b', '2')], at });
    given(created)
      .when({ type: 'TagResource', keyId, region, tags: [tag('a', '1')], at })
      .thenNothing();
  });
  it('counts the tags that are there already', () => {
    const tags = Array.from({ length: 50 }, (_, n) => tag(String(n)));
    given(created).when({ type: 'TagResource', keyId, region, tags, at }).thenRefuses('TooManyTags');
    given(created).when({ type: 'TagResource', keyId, region, tags: tags.slice(1), at }).then({ type: 'KeyTagged', keyId, region, tags: tags.slice(1), at }); // prettier-ignore
  });
  it('removes those that are there', () => {
    given(created)
      .when({ type: 'UntagResource', keyId, region, tagKeys: ['a', 'x'], at })
      .then({ type: 'KeyUntagged', keyId, region, tagKeys: ['a'], at });
    given(created, { type: 'KeyUntagged', keyId, region, tagKeys: ['a'], at }).when({ type: 'UntagResource', keyId, region, tagKeys: ['a'], at }).thenNothing(); // prettier-ignore
  });
  it('changes the description', () => {
    const update: KeyCommand = { type: 'UpdateKeyDescription', keyId, region, description: 'new', at };
    const updated: KeyEvent = { type: 'KeyDescriptionUpdated', keyId, region, description: 'new', at };
    given(created).when(update).then(updated);
    given(created, updated).when(update).thenNothing();
  });
  it('is refused while the key is to be deleted', () => {
    given(created, scheduled)
      .when({ type: 'TagResource', keyId, region, tags: [tag('b')], at })
      .thenRefuses('KeyPendingDeletion');
    given(created, scheduled)
      .when({ type: 'UntagResource', keyId, region, tagKeys: ['a'], at })
      .thenRefuses('KeyPendingDeletion');
    given(created, scheduled).when({ type: 'UpdateKeyDescription', keyId, region, description: 'x', at }).thenRefuses('KeyPendingDeletion'); // prettier-ignore
  });
});

it('no command is possible on a key that does not exist', () => {
  for (const type of ['EnableKey', 'DisableKey', 'CancelKeyDeletion'] as const)
    given().when(command(type)).thenRefuses('KeyNotFound');
});

it('every event is acceptable in every state', () => {
  const events: KeyEvent[] = [
    created,
    enabled,
    disabled,
    scheduled,
    cancelled,
    deleted,
    { type: 'KeyUntagged', keyId, region, tagKeys: [], at },
  ];
  for (const first of events)
    for (const second of events) {
      const state = [first, second].reduce(keyDecider.evolve, keyDecider.initialState);
      expect(state).toHaveProperty('status');
    }
});
