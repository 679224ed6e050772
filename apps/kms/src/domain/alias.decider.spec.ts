import { type AccountId, instant, type Region } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { aliasDecider } from './alias.decider.ts';
import type { AliasEvent } from './alias.events.ts';

const given = specification(aliasDecider);
const at = instant(new Date('2026-03-01T00:00:00Z'));
const alias = { aliasName: 'alias/a', accountId: '111122223333' as AccountId, region: 'eu-central-1' as Region, at };
const created: AliasEvent = { type: 'AliasCreated', ...alias, targetKeyId: 'one' };
const updated: AliasEvent = { type: 'AliasUpdated', ...alias, targetKeyId: 'two' };
const deleted: AliasEvent = { type: 'AliasDeleted', ...alias };

describe('an alias', () => {
  it('is created once', () => {
    given()
      .when({ type: 'CreateAlias', ...alias, targetKeyId: 'one' })
      .then(created);
    given(created)
      .when({ type: 'CreateAlias', ...alias, targetKeyId: 'two' })
      .thenRefuses('AliasAlreadyExists');
  });
  it('is reserved by the first who needs it', () => {
    given()
      .when({ type: 'ReserveAlias', ...alias, targetKeyId: 'one' })
      .then(created);
    given(created)
      .when({ type: 'ReserveAlias', ...alias, targetKeyId: 'two' })
      .thenNothing();
  });
  it('moves to another key while it exists', () => {
    given(created)
      .when({ type: 'UpdateAlias', ...alias, targetKeyId: 'two' })
      .then(updated);
    given()
      .when({ type: 'UpdateAlias', ...alias, targetKeyId: 'two' })
      .thenRefuses('AliasNotFound');
    given(created, deleted)
      .when({ type: 'UpdateAlias', ...alias, targetKeyId: 'two' })
      .thenRefuses('AliasNotFound');
  });
  it('is deleted once, and may be created again', () => {
    given(created)
      .when({ type: 'DeleteAlias', ...alias })
      .then(deleted);
    given(created, deleted)
      .when({ type: 'DeleteAlias', ...alias })
      .thenRefuses('AliasNotFound');
    given(created, deleted)
      .when({ type: 'CreateAlias', ...alias, targetKeyId: 'one' })
      .then(created);
  });
  it('goes with its key only while it names that key', () => {
    given(created)
      .when({ type: 'DeleteAlias', ...alias, ofKeyId: 'one' })
      .then(deleted);
    given(created, updated)
      .when({ type: 'DeleteAlias', ...alias, ofKeyId: 'one' })
      .thenNothing();
    given(created, deleted)
      .when({ type: 'DeleteAlias', ...alias, ofKeyId: 'one' })
      .thenNothing();
  });
});
