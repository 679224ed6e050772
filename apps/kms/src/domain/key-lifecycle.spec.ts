import { type AccountId, instant, type Region } from '@holdfast/contracts';
import { fold } from '@holdfast/decider';
import { specification } from '@holdfast/decider/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyDecider } from './key.decider.ts';
import type { KeyCommand } from './key.commands.ts';
import type { KeyEvent } from './key.events.ts';
import { daysAfter } from './key.state.ts';

const given = specification(keyDecider);
const at = instant(new Date('2026-03-01T00:00:00Z'));
const [home, away] = ['eu-central-1', 'eu-west-1'] as [Region, Region];
const keyId = `mrk-${'0'.repeat(32)}`;
const [one, two, three] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];

const created = (fields: Partial<Extract<KeyEvent, { type: 'KeyCreated' }>> = {}): KeyEvent => ({
  type: 'KeyCreated', keyId, accountId: '111122223333' as AccountId, region: home, keyManager: 'CUSTOMER',
  keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'ENCRYPT_DECRYPT', origin: 'AWS_KMS', multiRegion: true, description: '',
  tags: [], materialId: one, publicKey: null, policy: null, at, ...fields,
}); // prettier-ignore
const external = created({ origin: 'EXTERNAL', materialId: null });
const base = (region = home) => ({ keyId, region, at });
const replicated: KeyEvent = {
  type: 'KeyReplicated',
  ...base(away),
  description: '',
  tags: [],
  policy: null,
  principalIds: {},
};
const imported = (materialId: string, region = home): KeyEvent => ({
  type: 'KeyMaterialImported', ...base(region), materialId, importType: 'NEW_KEY_MATERIAL', description: null,
  expirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE', validTo: null, publicKey: null,
}); // prettier-ignore
const importing = (materialId: string, importType: 'NEW_KEY_MATERIAL' | 'EXISTING_KEY_MATERIAL' | null = null, region = home): KeyCommand => ({
  type: 'ImportKeyMaterial', ...base(region), materialIds: [materialId], importType, description: null,
  expirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE', validTo: null, publicKey: null,
}); // prettier-ignore
const rotationEnabled: KeyEvent = { type: 'KeyRotationEnabled', keyId, rotationPeriodInDays: 90, nextRotationDate: daysAfter(at, 90), at }; // prettier-ignore
const rotate = (rotationType: 'AUTOMATIC' | 'ON_DEMAND', when = at, region = home): KeyCommand => ({
  type: 'RotateKey', keyId, region, rotationType, materialId: two, at: when,
}); // prettier-ignore

describe('rotation', () => {
  it('is not automatic before its date, nor for a disabled key', () => {
    given(created(), rotationEnabled)
      .when(rotate('AUTOMATIC', daysAfter(at, 89)))
      .thenNothing();
    given(created())
      .when(rotate('AUTOMATIC', daysAfter(at, 900)))
      .thenNothing();
    const disabled: KeyEvent = { type: 'KeyDisabled', ...base() };
    given(created(), rotationEnabled, disabled)
      .when(rotate('AUTOMATIC', daysAfter(at, 91)))
      .thenNothing();
  });
  it('happens once however late, and the next is a period after it', () => {
    const late = daysAfter(at, 500);
    const rotated: KeyEvent = { type: 'KeyRotated', keyId, materialId: two, rotationType: 'AUTOMATIC', nextRotationDate: daysAfter(late, 90), at: late }; // prettier-ignore
    given(created(), rotationEnabled).when(rotate('AUTOMATIC', late)).then(rotated);
    given(created(), rotationEnabled, rotated).when(rotate('AUTOMATIC', late)).thenNothing();
  });
  it('on demand leaves the period as it is, and is the primary’s affair', () => {
    given(created(), rotationEnabled).when(rotate('ON_DEMAND')).then({ type: 'KeyRotated', keyId, materialId: two, rotationType: 'ON_DEMAND', nextRotationDate: daysAfter(at, 90), at }); // prettier-ignore
    given(created(), replicated)
      .when(rotate('ON_DEMAND', at, away))
      .thenRefuses('NotPrimaryKey');
    given(created(), rotationEnabled)
      .when(rotate('ON_DEMAND', daysAfter(at, 90)))
      .thenRefuses('RotationInProgress');
  });
  it('of imported material waits for every Region', () => {
    const history = [external, imported(one), replicated, imported(one, away), imported(two)];
    given(...history)
      .when(rotate('ON_DEMAND'))
      .thenRefuses('NoMaterialToRotate');
    given(...history, imported(two, away)).when(rotate('ON_DEMAND')).then({ type: 'KeyRotated', keyId, materialId: two, rotationType: 'ON_DEMAND', nextRotationDate: null, at }); // prettier-ignore
  });
  it('is enabled again without effect', () => {
    given(created(), rotationEnabled).when({ type: 'EnableKeyRotation', ...base(), rotationPeriodInDays: 90 }).thenNothing(); // prettier-ignore
    given(created())
      .when({ type: 'DisableKeyRotation', ...base() })
      .thenNothing();
  });
});

it('rotates each year where no period is given, whatever the period was', () => {
  const when = daysAfter(at, 1);
  given(created(), rotationEnabled)
    .when({ type: 'EnableKeyRotation', ...base(), rotationPeriodInDays: null, at: when })
    .then({ type: 'KeyRotationEnabled', keyId, rotationPeriodInDays: 365, nextRotationDate: daysAfter(when, 365), at: when }); // prettier-ignore
});

describe('import', () => {
  it('takes the first material, and later only that', () => {
    given(external).when(importing(one)).then(imported(one));
    given(external, imported(one)).when(importing(two)).thenRefuses('IncorrectKeyMaterial');
    given(external, imported(one)).when(importing(one)).then({ ...imported(one), importType: 'EXISTING_KEY_MATERIAL' } as KeyEvent); // prettier-ignore
  });
  it('takes one new material at a time, and none into a replica', () => {
    given(external, imported(one)).when(importing(two, 'NEW_KEY_MATERIAL')).then(imported(two));
    given(external, imported(one), imported(two)).when(importing(three, 'NEW_KEY_MATERIAL')).thenRefuses('MaterialAlreadyPending'); // prettier-ignore
    const history = [external, imported(one), replicated, imported(one, away)];
    given(...history)
      .when(importing(two, 'NEW_KEY_MATERIAL', away))
      .thenRefuses('NotPrimaryKey');
  });
  it('knows material by the reckoning of an earlier root key', () => {
    const again = { ...importing(one), materialIds: [three, one] } as KeyCommand;
    given(external, imported(one)).when(again).then({ ...imported(one), importType: 'EXISTING_KEY_MATERIAL' } as KeyEvent); // prettier-ignore
  });
  it('is not for pairs twice, nor for keys made here', () => {
    const pair = created({ origin: 'EXTERNAL', materialId: null, keySpec: 'ECC_NIST_P256', keyUsage: 'SIGN_VERIFY' });
    given(pair, imported(one)).when(importing(two, 'NEW_KEY_MATERIAL')).thenRefuses('OperationUnsupported');
    given(created()).when(importing(two)).thenRefuses('OriginUnsupported');
  });
  it('of a pair knows neither types nor descriptions', () => {
    const pair = created({ origin: 'EXTERNAL', materialId: null, keySpec: 'ECC_NIST_P256', keyUsage: 'SIGN_VERIFY' });
    given(pair).when(importing(one)).then(imported(one));
    given(pair).when(importing(one, 'NEW_KEY_MATERIAL')).thenRefuses('OperationUnsupported');
    const described = { ...importing(one), description: 'mine' } as KeyCommand;
    given(pair).when(described).thenRefuses('OperationUnsupported');
  });
  it('of existing material needs some to exist', () => {
    given(external).when(importing(one, 'EXISTING_KEY_MATERIAL')).thenRefuses('IncorrectKeyMaterial');
    given(external).when(importing(one, 'NEW_KEY_MATERIAL')).then(imported(one));
  });
  it('ends at its date and not before', () => {
    const until = { ...imported(one), validTo: daysAfter(at, 1) } as KeyEvent;
    given(external, until)
      .when({ type: 'ExpireKeyMaterial', ...base() })
      .thenNothing();
    const when = daysAfter(at, 1);
    given(external, until)
      .when({ type: 'ExpireKeyMaterial', ...base(), at: when })
      .then({ type: 'KeyMaterialDeleted', ...base(), materialId: one, reason: 'EXPIRED', at: when });
  });
});

describe('a primary key', () => {
  const awaits: KeyEvent = { type: 'KeyDeletionAwaitsReplicas', ...base(), pendingWindowInDays: 7 };
  const scheduled: KeyEvent = { type: 'KeyDeletionScheduled', ...base(away), deletionDate: daysAfter(at, 7), pendingWindowInDays: 7 }; // prettier-ignore
  it('waits for its replicas, and its own period begins with the last', () => {
    given(created(), replicated)
      .when({ type: 'ScheduleKeyDeletion', ...base(), pendingWindowInDays: 7 })
      .then(awaits);
    const when = daysAfter(at, 8);
    given(created(), replicated, awaits, scheduled)
      .when({ type: 'CompleteKeyDeletion', ...base(away), at: when })
      .then(
        { type: 'KeyDeleted', ...base(away), at: when },
        { type: 'KeyDeletionScheduled', ...base(), deletionDate: daysAfter(when, 7), pendingWindowInDays: 7, at: when },
      );
    given(created(), replicated, awaits)
      .when({ type: 'CompleteKeyDeletion', ...base(), at: when })
      .thenNothing();
  });
  it('may be kept after all', () => {
    given(created(), replicated, awaits).when({ type: 'CancelKeyDeletion', ...base() }).then({ type: 'KeyDeletionCancelled', ...base() }); // prettier-ignore
  });
  it('does not become one that is to be deleted before its replicas', () => {
    const update: KeyCommand = { type: 'UpdatePrimaryRegion', ...base(), primaryRegion: away };
    given(created(), replicated, scheduled).when(update).thenRefuses('KeyPendingDeletion');
    const kept: KeyEvent = { type: 'KeyDeletionCancelled', ...base(away) };
    given(created(), replicated, scheduled, kept)
      .when(update)
      .then({ type: 'PrimaryRegionUpdated', keyId, primaryRegion: away, at });
  });
  it('is replicated once a Region, by itself', () => {
    const replicate = (region = home): KeyCommand => ({ type: 'ReplicateKey', ...base(region), replicaRegion: away, description: '', tags: [], policy: null, principalIds: {} }); // prettier-ignore
    given(created()).when(replicate()).then(replicated);
    given(created(), replicated).when(replicate()).thenRefuses('ReplicaAlreadyExists');
    given(created(), replicated).when(replicate(away)).thenRefuses('NotPrimaryKey');
    given(created({ multiRegion: false }))
      .when(replicate())
      .thenRefuses('NotPrimaryKey');
  });
});

it('every event is acceptable in every state, and a key is Enabled only with all its material', () => {
  const events: KeyEvent[] = [
    created(), external, replicated, imported(one), imported(two), imported(one, away), rotationEnabled,
    { type: 'KeyRotated', keyId, materialId: two, rotationType: 'ON_DEMAND', nextRotationDate: null, at },
    { type: 'KeyMaterialDeleted', ...base(), materialId: one, reason: 'REQUESTED' },
    { type: 'KeyDeletionScheduled', ...base(), deletionDate: at, pendingWindowInDays: 7 },
    { type: 'KeyDeletionCancelled', ...base() }, { type: 'KeyDeleted', ...base(away) }, { type: 'KeyDeleted', ...base() },
    { type: 'PrimaryRegionUpdated', keyId, primaryRegion: away, at }, { type: 'KeyRotationDisabled', keyId, at },
    { type: 'KeyPolicyPut', ...base(), policy: '{}' }, { type: 'KeyDeletionAwaitsReplicas', ...base(), pendingWindowInDays: 7 },
  ]; // prettier-ignore
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events), { maxLength: 12 }), (history) => {
      const state = fold(keyDecider, history, keyDecider.initialState);
      expect(['absent', 'exists', 'deleted']).toContain(state.status);
    }),
  );
  // Histories that decisions made, from commands in any order.
  const commands: KeyCommand[] = [
    importing(one), importing(two, 'NEW_KEY_MATERIAL'), importing(one, null, away), importing(two, null, away),
    rotate('ON_DEMAND'), { type: 'DeleteImportedKeyMaterial', ...base(), materialId: one },
    { type: 'DeleteImportedKeyMaterial', ...base(away), materialId: null },
    { type: 'ReplicateKey', ...base(), replicaRegion: away, description: '', tags: [], policy: null, principalIds: {} },
    { type: 'EnableKey', ...base() }, { type: 'DisableKey', ...base() }, { type: 'CancelKeyDeletion', ...base() },
    { type: 'ScheduleKeyDeletion', ...base(), pendingWindowInDays: 7 },
  ]; // prettier-ignore
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...commands), { maxLength: 20 }), (asked) => {
      let state = fold(keyDecider, [external], keyDecider.initialState);
      for (const command of asked) {
        try {
          for (const event of keyDecider.decide(command, state)) state = keyDecider.evolve(state, event);
        } catch {
          continue;
        }
        if (state.status !== 'exists') continue;
        for (const { status, imported: there } of state.regions.values()) {
          const whole = state.materialIds.length > 0 && state.materialIds.every((id) => there.has(id));
          if (status === 'Enabled' || status === 'Disabled') expect(whole).toBe(true);
          if (status === 'PendingImport') expect(whole).toBe(false);
        }
      }
    }),
  );
});
