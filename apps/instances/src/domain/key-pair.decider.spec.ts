import { accountId, instant, region } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { type KeyPairCommand, keyPairDecider } from './key-pair.decider.ts';
import type { KeyPairEvent } from './key-pair.events.ts';

const given = specification(keyPairDecider);
const at = instant(new Date('2026-01-31T12:00:00Z'));
const keyPairId = 'key-0123456789abcdef0';
const key = {
  keyPairId,
  accountId: accountId('111122223333'),
  region: region('eu-central-1'),
  name: 'ada',
  keyType: 'ed25519' as const,
  fingerprint: 'dQV6Dh1y2rpZ93mj1SpXEWpMqApwUvDvhjjpK82TXJ8=',
  publicKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFIEBSqtPxNimqZYFSdh+H/SNTOBPZ+tcRDo6B+SWO6n',
  tags: { a: '1' },
  at,
};
const created: KeyPairEvent = { type: 'KeyPairCreated', ...key };
const deleted: KeyPairEvent = { type: 'KeyPairDeleted', keyPairId, at };

describe('a key pair', () => {
  it('is made or imported, once', () => {
    given()
      .when({ type: 'CreateKeyPair', ...key })
      .then(created);
    given()
      .when({ type: 'ImportKeyPair', ...key })
      .then({ type: 'KeyPairImported', ...key });
    given(created)
      .when({ type: 'ImportKeyPair', ...key })
      .thenRefuses('KeyPairAlreadyExists');
  });

  it('keeps nothing of the command but what a key pair is: no private key', () => {
    const more = { ...key, privateKeyPem: 'secret' };
    given()
      .when({ type: 'CreateKeyPair', ...more })
      .then(created);
  });

  it('is deleted once, however often that is asked', () => {
    given(created).when({ type: 'DeleteKeyPair', keyPairId, at }).then(deleted);
    given(created, deleted).when({ type: 'DeleteKeyPair', keyPairId, at }).thenNothing();
    given().when({ type: 'DeleteKeyPair', keyPairId, at }).thenNothing();
  });

  it('is tagged while it is there', () => {
    const tag = { type: 'TagKeyPair', keyPairId, tags: { b: '2' }, at } as const;
    given(created)
      .when(tag)
      .then({ ...tag, type: 'KeyPairTagged' });
    given(created)
      .when({ ...tag, tags: { a: '1' } })
      .thenNothing();
    given(created, deleted).when(tag).thenRefuses('KeyPairNotFound');
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${String(i)}`, '']));
    given(created)
      .when({ ...tag, tags: many })
      .thenRefuses('TooManyTags');
  });

  it('loses the tags that it has', () => {
    const untag: KeyPairCommand = { type: 'UntagKeyPair', keyPairId, keys: ['a', 'x'], at };
    given(created)
      .when(untag)
      .then({ type: 'KeyPairUntagged', keyPairId, keys: ['a'], at });
    given(created)
      .when({ ...untag, keys: ['x'] })
      .thenNothing();
    given().when(untag).thenRefuses('KeyPairNotFound');
  });
});
